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
    assert!(site.run(&["tasks", "redrive"]).error(2).contains("<IDS>"));
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
    site.run(&["tasks", "purge", &id]).good();
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
