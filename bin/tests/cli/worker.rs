use serde_json::json;

use crate::nodes::ask;
use crate::process::{Process, Site, appears, disappears};

#[test]
fn a_worker_runs_the_command_and_keeps_its_output() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "cat"]);
    let ran = site.run(&[
        "--json",
        "submit",
        "--type",
        "a",
        "--payload",
        "{\"n\": 7}",
        "--wait",
    ]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let task = ran.json();
    assert_eq!(
        (&task["status"], &task["result"]),
        (&json!("succeeded"), &json!({"n": 7}))
    );
}

#[test]
fn a_payload_never_becomes_a_command() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "cat"]);
    let payload = "\"$(touch owned); `touch owned`; touch owned\"";
    let ran = site.run(&[
        "--json",
        "submit",
        "--type",
        "a",
        "--payload",
        payload,
        "--wait",
    ]);
    assert_eq!(
        ran.json()["result"],
        "$(touch owned); `touch owned`; touch owned"
    );
    assert!(!site.folder.path().join("owned").exists());
}

#[test]
fn the_exit_status_decides() {
    let site = Site::start();
    let script = "case $RUSSET_TYPE in
        final) echo 'bad data' >&2; exit 65;;
        later) test $RUSSET_ATTEMPT = 1 && exit 75; echo then;;
        retry) echo \"attempt $RUSSET_ATTEMPT\" >&2; exit 3;;
        killed) kill -9 $$;;
        esac";
    let _worker = site.worker(&["--shell", "--snooze", "10ms", "--exec", script]);
    let end = |arguments: &[&str]| {
        let ran = site.run(&[&["--json", "submit", "--wait", "--type"], arguments].concat());
        let task = ran.json();
        let error = task["last_error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (ran.status, task, error)
    };
    let (status, task, error) = end(&["final"]);
    assert_eq!(
        (status, &task["status"], &task["attempt"]),
        (1, &json!("dead"), &json!(1))
    );
    assert_eq!(error, "exit status 65: bad data");
    let (status, task, _) = end(&["later"]);
    assert_eq!(
        (status, &task["result"], &task["retry_count"]),
        (0, &json!("then"), &json!(0))
    );
    assert_eq!(task["attempt"], 2);
    let (status, task, error) = end(&["retry", "--max-retries", "1"]);
    assert_eq!(
        (status, &task["status"], &task["attempt"]),
        (1, &json!("dead"), &json!(2))
    );
    assert_eq!(error, "exit status 3: attempt 2");
    let (_, _, error) = end(&["killed", "--max-retries", "0"]);
    assert_eq!(error, "killed by signal 9");
}

#[test]
fn the_environment_says_which_task_it_is() {
    let site = Site::start();
    let _worker = site.worker(&["--shell", "--queue", "q", "--exec", "env | grep RUSSET_"]);
    let arguments = [
        "submit",
        "--wait",
        "--json",
        "--type",
        "a",
        "--queue",
        "q",
        "--timeout",
        "1h",
    ];
    let task = site.run(&arguments).json();
    let result = task["result"].as_str().expect("a text");
    let has = |line: String| assert!(result.lines().any(|l| l == line), "no {line} in {result}");
    has(format!(
        "RUSSET_TASK_ID={}",
        task["id"].as_str().expect("an id")
    ));
    has("RUSSET_ATTEMPT=1".into());
    has("RUSSET_TYPE=a".into());
    has("RUSSET_QUEUE=q".into());
    assert!(result.contains("RUSSET_DEADLINE=20"), "{result}");
}

#[test]
fn a_command_is_told_nothing_that_its_worker_knows_beside_the_task() {
    let site = Site::start();
    let mut command = site.command(&["worker", "--shell", "--exec", "env | grep RUSSET_"]);
    for secret in ["RUSSET_TOKEN", "RUSSET_TOKENS", "RUSSET_SOMETHING_ELSE"] {
        command.env(secret, "0123456789abcdef-secret");
    }
    command.env("RUSSET_LOG", "warn");
    let _worker = Process::spawn(command.stderr(std::process::Stdio::null()));
    let task = site
        .run(&["submit", "--wait", "--json", "--type", "a"])
        .json();
    let result = task["result"].as_str().expect("a text");
    for hidden in ["secret", "RUSSET_LOG", "RUSSET_URL"] {
        assert!(!result.contains(hidden), "{hidden} in {result}");
    }
    assert!(result.contains("RUSSET_TASK_ID="), "{result}");
}

#[test]
fn a_result_that_is_too_large_fails_for_good_with_its_size() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "head -c 2000000 /dev/zero"]);
    let task = site
        .run(&["submit", "--wait", "--json", "--type", "a"])
        .json();
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("dead"), &json!(1))
    );
    let error = task["last_error"]["message"].as_str().expect("a text");
    assert!(
        error.starts_with("the result is 2,000,000 bytes, and the limit is 1 MiB"),
        "{error}"
    );
}

#[test]
fn a_worker_logs_how_each_attempt_ended_and_what_it_waits_for() {
    let site = Site::start();
    let script = "case $RUSSET_TYPE in
        bad) echo why >&2; echo because >&2; exit 65;;
        slow) echo $$ > started; until test -e go; do sleep 0.02; done;;
        esac";
    let mut command = site.command(&["worker", "--shell", "--exec", script]);
    let mut worker = Process::spawn(command.stderr(std::process::Stdio::piped()));
    let log = worker.stderr();
    assert_eq!(site.run(&["submit", "--wait", "--type", "good"]).status, 0);
    assert_eq!(site.run(&["submit", "--wait", "--type", "bad"]).status, 1);
    site.submit(&["--type", "slow"]);
    appears(&site.folder.path().join("started"));
    worker.signal("TERM");
    site.file("go", "");
    assert_eq!(worker.wait(), 0);
    let log = std::io::read_to_string(log).expect("text");
    let has = |words: &[&str]| {
        let found = log
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no {words:?} in {log}");
    };
    has(&["INFO", "type=good attempt=1", "done: reporting it took="]);
    has(&[
        "WARN",
        "type=bad attempt=1",
        "kind=\"final\" error=\"because\"",
    ]);
}

#[test]
fn a_worker_without_work_stops_at_once() {
    let site = Site::start();
    let mut worker = site.worker(&["--shell", "--exec", "true"]);
    assert_eq!(site.run(&["submit", "--wait", "--type", "a"]).status, 0);
    let start = std::time::Instant::now();
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    assert!(
        start.elapsed() < std::time::Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_cancelled_command_is_stopped_with_everything_that_it_started() {
    let site = Site::start();
    let script = "sleep 300 & echo $! > child; trap 'exit 0' TERM; wait";
    let _worker = site.worker(&["--shell", "--exec", script]);
    let arguments = ["submit", "-q", "--type", "a"];
    let id = site.run(&arguments).good().to_owned();
    let child = appears(&site.folder.path().join("child"));
    assert_eq!(
        site.run(&["tasks", "cancel", &id, "--reason", "enough"])
            .status,
        0
    );
    let waited = site.run(&["--json", "tasks", "wait", &id]);
    assert_eq!(
        (waited.status, &waited.json()["status"]),
        (1, &json!("cancelled"))
    );
    assert_eq!(waited.json()["last_error"]["message"], "enough");
    disappears(&child);
}

#[test]
fn a_command_that_takes_too_long_is_killed_after_its_grace() {
    let site = Site::start();
    let script = "trap '' TERM; echo $$ > child; while :; do sleep 1; done";
    let _worker = site.worker(&["--shell", "--grace", "50ms", "--exec", script]);
    let id = site.submit(&["--type", "a", "--timeout", "300ms", "--max-retries", "0"]);
    let waited = site.run(&["--json", "tasks", "wait", &id]);
    assert_eq!(waited.json()["last_error"]["kind"], "timed_out");
    disappears(&appears(&site.folder.path().join("child")));
}

#[test]
fn a_worker_that_is_killed_leaves_no_command_behind() {
    let site = Site::start();
    let script = "sleep 300 & echo $! > child; wait";
    let worker = site.worker(&["--shell", "--exec", script]);
    site.submit(&["--type", "a"]);
    let child = appears(&site.folder.path().join("child"));
    worker.signal("KILL");
    disappears(&child);
}

#[test]
fn a_worker_that_is_killed_leaves_no_command_behind_that_left_its_group() {
    let site = Site::start();
    let script = "setsid sh -c 'echo $$ > child; exec sleep 300' & wait";
    let worker = site.worker(&["--shell", "--exec", script]);
    site.submit(&["--type", "a"]);
    let child = appears(&site.folder.path().join("child"));
    worker.signal("KILL");
    disappears(&child);
}

#[test]
fn a_worker_that_is_stopped_finishes_what_it_runs() {
    let site = Site::start();
    let script = "echo $$ > started; until test -e go; do sleep 0.02; done; echo done";
    let mut worker = site.worker(&["--shell", "--exec", script]);
    let id = site.submit(&["--type", "a"]);
    appears(&site.folder.path().join("started"));
    worker.signal("TERM");
    site.file("go", "");
    assert_eq!(worker.wait(), 0);
    let task = site.task(&id);
    assert_eq!(
        (&task["status"], &task["result"]),
        (&json!("succeeded"), &json!("done"))
    );
}

#[test]
fn a_worker_stopped_before_its_commands_end_gives_their_tasks_back() {
    let site = Site::start();
    let script = "echo $$ > child; sleep 300";
    let mut worker = site.worker(&["--shell", "--drain", "50ms", "--exec", script]);
    let id = site.submit(&["--type", "a"]);
    let child = appears(&site.folder.path().join("child"));
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    disappears(&child);
    let task = site.task(&id);
    assert_eq!(
        (&task["status"], &task["retry_count"]),
        (&json!("queued"), &json!(0))
    );
}

#[test]
fn a_task_that_is_given_back_does_not_start_again_before_its_command_is_gone() {
    let site = Site::start();
    let script = "mkdir held || echo overlap > overlap
        trap 'sleep 0.5; rmdir held; exit 1' TERM
        mkdir first && echo $$ > up1 || echo $$ > up2
        while :; do sleep 0.02; done";
    let mut first = site.worker(&["--shell", "--drain", "50ms", "--exec", script]);
    site.submit(&["--type", "a"]);
    appears(&site.folder.path().join("up1"));
    let _second = site.worker(&["--shell", "--exec", script]);
    first.signal("TERM");
    appears(&site.folder.path().join("up2"));
    assert!(!site.folder.path().join("overlap").exists());
    assert_eq!(first.wait(), 0);
}

#[test]
fn a_worker_with_a_capacity_leaves_what_does_not_fit() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "true", "--capacity", "cpu=2,memory_mb=512"]);
    let big = site.submit(&["--type", "a", "--need", "cpu=3"]);
    let fits = site.submit(&["--type", "a", "--need", "cpu=2"]);
    assert_eq!(site.run(&["tasks", "wait", &fits]).status, 0);
    assert_eq!(site.task(&big)["status"], "queued");
    let explained = site.run(&["--json", "tasks", "explain", &big]).json();
    assert_eq!(explained["reasons"][0]["code"], "no_resources");
}

#[test]
fn a_worker_for_some_types_leaves_the_others() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "true", "--type", "mine"]);
    let other = site.submit(&["--type", "other"]);
    let mine = site.submit(&["--type", "mine"]);
    assert_eq!(site.run(&["tasks", "wait", &mine]).status, 0);
    assert_ne!(site.task(&other)["status"], "succeeded");
}

#[test]
fn a_command_that_cannot_be_run_is_refused_before_any_task_is_taken() {
    let site = Site::start();
    for (exec, expected) in [
        (
            "no-such-program",
            "error: --exec: there is no program \"no-such-program\"",
        ),
        ("", "error: --exec: the command is empty"),
        (
            "echo 'a",
            "error: --exec: the command \"echo 'a\" has an open quote",
        ),
    ] {
        let ran = site.run(&["worker", "--exec", exec]);
        assert!(ran.error(2).starts_with(expected), "{ran:?}");
    }
    assert!(site.run(&["worker"]).error(2).contains("--exec <COMMAND>"));
}

#[test]
fn words_for_a_shell_are_warned_of_when_there_is_none() {
    let site = Site::start();
    let mut command = site.command(&["worker", "--exec", "cat | wc"]);
    let mut worker = Process::spawn(command.stderr(std::process::Stdio::piped()));
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(worker.stderr()));
    let warns = |line: String| line.contains("WARN") && line.contains("--shell");
    assert!(lines.any(|line| warns(line.expect("text"))));
}

#[test]
fn a_type_that_the_worker_does_not_handle_is_warned_of_once() {
    let site = Site::start();
    for _ in 0..3 {
        site.submit(&["--type", "resize", "--queue", "mixed"]);
    }
    let work = [
        "worker", "--queue", "mixed", "--type", "mail", "--exec", "true",
    ];
    let mut command = site.command(&work);
    let mut worker = Process::spawn(command.stderr(std::process::Stdio::piped()));
    let log = worker.stderr();
    site.run(&["submit", "--wait", "--type", "mail", "--queue", "mixed"])
        .good();
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    let log = std::io::read_to_string(log).expect("text");
    let warnings: Vec<_> = log.lines().filter(|l| l.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    for word in ["queue mixed", "type resize", "5s", "a queue of their own"] {
        assert!(warnings[0].contains(word), "no {word:?} in {log}");
    }
    let help = site.run(&["worker", "--help"]);
    let said = "a queue hold only types that all its workers handle";
    let help = help.good().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(said), "{help}");
}

#[test]
fn a_worker_that_has_drained_counts_as_gone_at_once() {
    let site = Site::start();
    let mut worker = site.worker(&["--exec", "true"]);
    let done = site.submit(&["--type", "a"]);
    site.run(&["tasks", "wait", &done]).good();
    assert!(ask(&site, "/metrics").contains("\nrusset_workers 1\n"));
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    assert!(ask(&site, "/metrics").contains("\nrusset_workers 0\n"));
    let waits = site.submit(&["--type", "a"]);
    let explained = site.run(&["tasks", "explain", &waits]);
    let said = "no worker asked this node for tasks of queue default within 10m, or since it was \
                started, but those that have stopped";
    assert!(explained.good().contains(said), "{explained:?}");
}
