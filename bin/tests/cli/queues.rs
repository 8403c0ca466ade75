use serde_json::json;

use crate::process::Site;

#[test]
fn queues_are_listed_and_inspected() {
    let site = Site::start();
    assert!(
        site.run(&["queues", "list"])
            .good()
            .starts_with("no queues")
    );
    site.submit(&["--type", "a", "--queue", "mail", "--need", "cpu=1"]);
    let table = site.run(&["queues", "list"]);
    let lines: Vec<_> = table.good().lines().collect();
    assert!(
        lines[0].starts_with("QUEUE") && lines[1].starts_with("mail"),
        "{lines:?}"
    );
    assert_eq!(site.run(&["-q", "queues", "list"]).good(), "mail");
    let queue = site.run(&["--json", "queues", "inspect", "mail"]).json();
    assert_eq!(
        (&queue["name"], &queue["counts"]["queued"]),
        (&json!("mail"), &json!(1))
    );
    let shown = site.run(&["queues", "inspect", "mail"]);
    assert!(
        shown
            .good()
            .lines()
            .any(|line| line == "lane          cpu=1"),
        "{shown:?}"
    );
}

#[test]
fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let site = Site::start();
    assert!(
        site.run(&["queues", "pause", "default"])
            .good()
            .starts_with("default is paused")
    );
    let _worker = site.worker(&["--exec", "true"]);
    let paused = site.submit(&["--type", "a"]);
    let other = site.run(&["tasks", "wait", &paused, "--timeout", "300ms"]);
    assert_eq!(
        (other.status, &site.task(&paused)["attempt"]),
        (1, &json!(0))
    );
    assert_eq!(
        site.run(&["queues", "resume", "default"]).good(),
        "default starts tasks again"
    );
    assert_eq!(site.run(&["tasks", "wait", &paused]).status, 0);
}

#[test]
fn the_help_and_the_document_say_what_a_concurrency_limit_counts() {
    let site = Site::start();
    let help = site
        .run(&["queues", "configure", "--help"])
        .good()
        .to_owned();
    let document = russet_cli::serve::document();
    let schemas = &document["components"]["schemas"];
    for text in [
        help,
        schemas["ConfigureQueue"]["properties"]["concurrency"]["description"].to_string(),
        schemas["QueueConfigView"]["properties"]["concurrency"]["description"].to_string(),
    ] {
        assert!(text.contains("in each partition"), "{text}");
        assert!(text.contains("already"), "{text}");
    }
}

#[test]
fn a_queue_is_configured() {
    let site = Site::start();
    let ran = site.run(&[
        "--json",
        "queues",
        "configure",
        "q",
        "--concurrency",
        "2",
        "--keep-dead",
        "5d",
    ]);
    let config = ran.json();
    assert_eq!(
        (&config["concurrency"], &config["keep_dead_ms"]),
        (&json!(2), &json!(432_000_000))
    );
    let lifted = site
        .run(&[
            "--json",
            "queues",
            "configure",
            "q",
            "--concurrency",
            "none",
        ])
        .json();
    assert_eq!(
        (&lifted["concurrency"], &lifted["keep_dead_ms"]),
        (&json!(null), &json!(432_000_000))
    );
    assert!(
        site.run(&["queues", "configure", "q"])
            .error(2)
            .contains("--concurrency")
    );
    let zero = site.run(&["queues", "configure", "q", "--concurrency", "0"]);
    assert!(
        zero.error(2)
            .contains("it is not a whole number from 1 to 1000000, or none"),
        "{zero:?}"
    );
    assert!(
        site.run(&["queues", "pause", "a b"])
            .error(2)
            .contains("is not a queue name")
    );
}

#[test]
fn a_queue_with_a_setting_and_no_task_is_listed_also_after_a_restart() {
    let mut site = Site::start();
    let paused = site.run(&["queues", "pause", "lonely"]);
    paused.good();
    let hint = "there was no queue lonely, neither a task nor a setting of it: check the name; ";
    assert!(paused.stderr.starts_with(hint), "{paused:?}");
    assert_eq!(site.run(&["-q", "queues", "list"]).good(), "lonely");
    site.restart("TERM");
    let table = site.run(&["queues", "list"]);
    assert!(table.good().ends_with("paused"), "{table:?}");
}

#[test]
fn a_queue_that_nobody_has_used_is_told_from_one_that_holds_nothing() {
    let site = Site::start();
    let inspect = |more: &[&str]| site.run(&[&["queues", "inspect"], more].concat());
    let ran = inspect(&["nosuch"]);
    let hint =
        "there is no queue nosuch yet, it comes with its first task or setting: check the name";
    assert_eq!((ran.status, ran.stderr.trim_end()), (0, hint));
    let row = "queue         nosuch (not there yet: no task, no setting)\n";
    assert!(ran.stdout.starts_with(row), "{ran:?}");
    let resumed = site.run(&["queues", "resume", "typo"]);
    assert_eq!(
        (resumed.status, resumed.stderr.contains("check the name")),
        (0, true)
    );
    let listed = site.run(&["queues", "list"]);
    assert!(
        listed.good().starts_with("no queues"),
        "a resume makes no queue: {listed:?}"
    );
    let json = inspect(&["--json", "nosuch"]);
    assert_eq!(
        (&json.json()["name"], &*json.stderr),
        (&json!("nosuch"), "")
    );
    site.run(&["queues", "configure", "set", "--aging", "5s"])
        .good();
    let ran = inspect(&["set"]);
    let hint = "queue set holds no task: check the name, or submit one";
    assert_eq!((ran.status, ran.stderr.trim_end()), (0, hint));
    assert!(ran.stdout.starts_with("queue         set\n"), "{ran:?}");
}

#[test]
fn a_pause_of_a_queue_that_is_not_there_says_so_with_the_name_that_may_be_meant() {
    let site = Site::start();
    site.submit(&["--type", "a", "--queue", "mail"]);
    let (pause, resume) = (["queues", "pause", "mial"], ["queues", "resume", "mial"]);
    let early = site.run(&resume);
    assert_eq!(early.good(), "mial is not paused");
    let paused = site.run(&pause);
    assert_eq!(paused.good(), "mial is paused: no task of it starts");
    let hint = "there was no queue mial, neither a task nor a setting of it: check the name (there is \
                a queue mail); its first task will wait until `russet queues resume mial`\n";
    assert_eq!(paused.stderr, hint);
    let again = site.run(&pause);
    let hint = "queue mial holds no task: check the name (there is a queue mail); its next task will \
                wait until `russet queues resume mial`\n";
    assert_eq!((again.status, &*again.stderr), (0, hint));
    let resumed = site.run(&resume);
    assert_eq!(resumed.good(), "mial starts tasks again");
    let hint = "queue mial holds no task: check the name (there is a queue mail), or submit one\n";
    assert_eq!(resumed.stderr, hint);
    let inspected = site.run(&["queues", "inspect", "mial"]);
    assert!(
        inspected.good().starts_with("queue         mial\n"),
        "a setting made it: {inspected:?}"
    );
    assert_eq!(inspected.stderr, hint);
    let mail = site.run(&["queues", "pause", "mail"]);
    assert_eq!((mail.status, &*mail.stderr), (0, ""));
    let json = site.run(&["--json", "queues", "pause", "other"]);
    assert_eq!((&json.json()["paused"], &*json.stderr), (&json!(true), ""));
}
