use serde_json::json;

use crate::process::Site;

const NO_TASK: &str = "00000000000000000000000000";

#[test]
fn tasks_are_listed_as_a_table_as_json_lines_or_as_ids() {
    let site = Site::start();
    assert_eq!(site.run(&["tasks", "list"]).good(), "no tasks");
    let first = site.submit(&["--type", "one"]);
    let second = site.submit(&["--type", "two", "--queue", "q", "--delay", "5m"]);
    let table = site.run(&["tasks", "list"]);
    let lines: Vec<_> = table.good().lines().collect();
    assert!(
        lines[0].starts_with("TASK ") && lines[0].contains("STATUS"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with(&first) && lines[2].starts_with(&second));
    assert!(
        lines[2].contains("scheduled") && lines[2].ends_with("starts in 5m"),
        "{lines:?}"
    );
    let json = site
        .run(&["--json", "tasks", "list", "--queue", "q"])
        .lines();
    assert_eq!((json.len(), &json[0]["type"]), (1, &json!("two")));
    let ids = site.run(&["-q", "tasks", "list", "--status", "queued"]);
    assert_eq!(ids.good(), first);
    let newest = site.run(&["-q", "tasks", "list", "--newest", "--limit", "1"]);
    assert_eq!(newest.good(), second);
}

#[test]
fn a_list_goes_on_where_it_was_cut() {
    let site = Site::start();
    let ids: Vec<_> = (0..3).map(|_| site.submit(&["--type", "a"])).collect();
    let cut = site.run(&["tasks", "list", "--limit", "2"]);
    assert!(
        cut.stderr.contains(&format!("--after {}", ids[1])),
        "{cut:?}"
    );
    let rest = site.run(&["-q", "tasks", "list", "--after", &ids[1]]);
    assert_eq!(rest.good(), ids[2]);
}

#[test]
fn a_task_is_shown_with_what_is_known_of_it() {
    let site = Site::start();
    let id = site.submit(&[
        "--type",
        "mail",
        "--payload",
        "{\"a\": 1}",
        "--need",
        "cpu=2",
    ]);
    let shown = site.run(&["tasks", "get", &id]);
    for line in [
        "type          mail",
        "status        queued",
        "needs         cpu=2",
        "payload       {\"a\": 1}",
    ] {
        assert!(
            shown.good().lines().any(|l| l == line),
            "no {line} in {}",
            shown.stdout
        );
    }
}

#[test]
fn an_unknown_task_fails_and_a_text_that_is_no_id_is_bad_input() {
    let site = Site::start();
    for command in ["get", "wait", "cancel", "redrive", "purge", "explain"] {
        let missing = site.run(&["tasks", command, NO_TASK]);
        let expected = format!("error: there is no task {NO_TASK}: check the id");
        assert!(
            missing.error(1).starts_with(&expected),
            "{command}: {missing:?}"
        );
        assert!(
            site.run(&["tasks", command, "17"])
                .error(2)
                .contains("not an id"),
            "{command}"
        );
        let problem = site.run(&["--json", "tasks", command, NO_TASK]).problem();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&json!("not_found"), &json!(404))
        );
    }
}

#[test]
fn waiting_ends_with_the_time_or_with_the_task() {
    let site = Site::start();
    let id = site.submit(&["--type", "a"]);
    let waited = site.run(&["tasks", "wait", &id, "--timeout", "50ms"]);
    assert_eq!(waited.status, 1);
    assert!(
        waited
            .stdout
            .contains("is queued and has not ended in time"),
        "{waited:?}"
    );
    assert_eq!(
        site.run(&["tasks", "cancel", &id]).good(),
        format!("{id} is cancelled")
    );
    let waited = site.run(&["--json", "tasks", "wait", &id]);
    assert_eq!(
        (waited.status, &waited.json()["status"]),
        (1, &json!("cancelled"))
    );
}

#[test]
fn one_refused_task_does_not_keep_the_others_from_being_cancelled() {
    let site = Site::start();
    let (one, other) = (site.submit(&["--type", "a"]), site.submit(&["--type", "a"]));
    let ran = site.run(&["tasks", "cancel", &one, NO_TASK, &other]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (1, 2), "{ran:?}");
    assert_eq!(site.task(&other)["status"], "cancelled");
}

#[test]
fn dead_tasks_are_redriven_by_id_or_all_at_once() {
    let site = Site::start();
    let worker = site.worker(&["--shell", "--exec", "exit 65"]);
    let ids: Vec<_> = (0..3).map(|_| site.submit(&["--type", "a"])).collect();
    let waited = site.run(&["tasks", "wait", &ids[0], &ids[1], &ids[2]]);
    assert_eq!(waited.error(1), "error: 3 of 3 tasks did not succeed");
    drop(worker);
    assert_eq!(
        site.run(&["tasks", "redrive", &ids[0]]).good(),
        format!("{} is queued", ids[0])
    );
    let none = site.run(&["--json", "tasks", "redrive", "--all", "--queue", "other"]);
    assert_eq!(none.json()["redriven"], 0);
    assert_eq!(
        site.run(&["tasks", "redrive", "--all"]).good(),
        "2 redriven"
    );
    let _worker = site.worker(&["--exec", "true"]);
    assert_eq!(
        site.run(&["-q", "tasks", "wait", &ids[0], &ids[1], &ids[2]])
            .good(),
        ""
    );
}

#[test]
fn redriving_all_fails_when_some_cannot_be_and_says_so() {
    let site = Site::start();
    let sync = r#"{"type": "a", "idempotency_key": "k", "idempotency_window_ms": "while_live"}"#;
    let worker = site.worker(&["--shell", "--exec", "exit 65"]);
    for _ in 0..2 {
        let id = site
            .feed(&["-q", "submit", "-f", "-"], sync)
            .good()
            .to_owned();
        site.run(&["tasks", "wait", &id]).error(1);
    }
    drop(worker);
    // Both have the same key, which can name only one of them.
    let ran = site.run(&["tasks", "redrive", "--all"]);
    let said = ran.error(1).to_owned();
    assert_eq!(ran.stdout.trim(), "1 redriven");
    assert!(
        said.starts_with("error: 1 could not be redriven now: try again"),
        "{said}"
    );
    let ran = site.run(&["--json", "tasks", "redrive", "--all"]);
    assert_eq!((ran.status, &ran.json()["refused"]), (1, &json!(1)));
}

#[test]
fn an_ended_task_is_purged() {
    let site = Site::start();
    let id = site.submit(&["--type", "a"]);
    assert!(
        site.run(&["tasks", "purge", &id])
            .error(1)
            .contains("cancel it first")
    );
    site.run(&["tasks", "cancel", &id]).good();
    let purged = site.run(&["tasks", "purge", &id]);
    assert_eq!(purged.good(), format!("{id} purged, it was cancelled"));
    assert_eq!(site.run(&["tasks", "get", &id]).status, 1);
}

#[test]
fn a_task_that_does_not_run_is_explained() {
    let site = Site::start();
    let id = site.submit(&["--type", "a"]);
    let explained = site.run(&["tasks", "explain", &id]);
    assert!(
        explained.good().contains("start one with `russet worker"),
        "{explained:?}"
    );
    site.run(&["queues", "pause", "default"]).good();
    let explained = site.run(&["--json", "tasks", "explain", &id]).json();
    assert_eq!(explained["reasons"][0]["code"], "queue_paused");
}

#[test]
fn the_last_line_of_an_error_stands_in_tables_and_all_of_it_with_the_task() {
    let site = Site::start();
    let script = "echo Traceback >&2; echo '  line 3' >&2; echo 'ValueError: 3' >&2; exit 65";
    let _worker = site.worker(&["--shell", "--exec", script]);
    let ran = site.run(&["submit", "--type", "a", "--wait"]);
    assert!(
        ran.stdout.ends_with(": exit status 65: ValueError: 3\n"),
        "{ran:?}"
    );
    let id = ran.stdout.split(' ').next().expect("an id");
    let table = site.run(&["tasks", "list"]);
    assert!(
        table.good().ends_with("  exit status 65: ValueError: 3"),
        "{table:?}"
    );
    let shown = site.run(&["tasks", "get", id]);
    let block = "last error    final, attempt 1:\n    exit status 65: Traceback\n      line 3\n    ValueError: 3";
    assert!(shown.good().ends_with(block), "{shown:?}");
    let explained = site.run(&["tasks", "explain", id]);
    let advice = format!("\n  `russet tasks redrive {id}` gives it a new life");
    assert!(explained.good().ends_with(&advice), "{explained:?}");
}

#[test]
fn a_script_works_as_a_worker() {
    let site = Site::start();
    let lease = |more: &[&str]| {
        let ran = site.run(&[&["-q", "tasks", "lease"], more].concat());
        let (id, lease) = ran.good().split_once(' ').expect("a task and its lease");
        (id.to_owned(), lease.to_owned())
    };
    let id = site.submit(&["--type", "a"]);
    let (task, held) = lease(&[]);
    assert_eq!(task, id);
    let extended = site.run(&[
        "tasks",
        "extend",
        &id,
        &held,
        "--percent",
        "40",
        "--progress",
        "on it",
    ]);
    assert!(extended.good().contains("lease expires in"), "{extended:?}");
    assert_eq!(site.task(&id)["progress"]["percent"], 40);
    site.run(&["tasks", "release", &id, &held]).good();
    let (_, held) = lease(&["--worker", "me"]);
    let failed = site.run(&[
        "tasks",
        "fail",
        &id,
        &held,
        "--message",
        "no",
        "--retry-after",
        "0",
    ]);
    assert!(failed.good().starts_with(&id), "{failed:?}");
    let (_, last) = lease(&["--wait", "20s", "--for", "1m"]);
    let stale = site.run(&["tasks", "complete", &id, &held]);
    assert!(stale.error(1).contains("is stale"), "{stale:?}");
    let done = site.run(&["tasks", "complete", &id, &last, "--result", "[1]"]);
    assert_eq!(done.good(), format!("{id} is succeeded"));
    assert_eq!(site.task(&id)["result"], json!([1]));
    assert_eq!(site.run(&["tasks", "lease"]).status, 1);
}

#[test]
fn a_listing_of_no_tasks_is_refused() {
    let ran = Site::start().run(&["tasks", "list", "--limit", "0"]);
    assert!(ran.error(2).contains("from 1 on"), "{ran:?}");
}
