//! Tasks that are cancelled and purged by a filter.

use serde_json::json;

use crate::process::Site;

/// More tasks than one request cancels or purges.
const TASKS: usize = russet::limits::PAGE_TASKS_MAX + 100;

fn counts(site: &Site, queue: &str) -> serde_json::Value {
    let ran = site.run(&["--json", "queues", "inspect", queue]);
    ran.json()["counts"].clone()
}

#[test]
fn all_live_tasks_of_a_queue_are_cancelled_and_then_purged_also_when_they_are_more_than_one_page() {
    let site = Site::start();
    let lines = "{\"type\": \"a\", \"queue\": \"many\"}\n".repeat(TASKS);
    site.feed(&["submit", "-f", "-"], &lines).good();
    let other = site.submit(&["--type", "a", "--queue", "other"]);
    let reason = ["--reason", "a mistake"];
    let cancel = ["tasks", "cancel", "--all", "--queue", "many"];
    let ran = site.run(&[&cancel[..], &reason].concat());
    assert_eq!(ran.good(), format!("{TASKS} cancelled"));
    let now = counts(&site, "many");
    assert_eq!(
        (&now["queued"], &now["cancelled"]),
        (&json!(0), &json!(TASKS))
    );
    let ran = site.run(&["-q", "tasks", "list", "--queue", "many", "--limit", "1"]);
    assert_eq!(site.task(ran.good())["last_error"]["message"], "a mistake");
    let purge = ["tasks", "purge", "--all", "--queue", "many"];
    let dead = site.run(&[&purge[..], &["--status", "dead"]].concat());
    assert_eq!(dead.good(), "0 purged");
    let ran = site.run(&[&["--json"], &purge[..]].concat());
    assert_eq!(
        ran.json(),
        json!({"purged": TASKS, "refused": 0, "refusals": []})
    );
    assert_eq!(counts(&site, "many")["cancelled"], 0);
    assert_eq!(site.task(&other)["status"], "queued");
}

#[test]
fn running_tasks_are_asked_to_stop_and_only_those_of_the_state_that_is_named() {
    let site = Site::start();
    let running = site.submit(&["--type", "a"]);
    site.run(&["tasks", "lease", "--queue", "default"]).good();
    let queued = site.submit(&["--type", "a"]);
    let ran = site.run(&["tasks", "cancel", "--all", "--status", "running"]);
    assert_eq!(
        ran.good(),
        "0 cancelled, 1 still running: the workers are asked to stop"
    );
    assert_eq!(site.task(&running)["cancel_requested"], true);
    assert_eq!(site.task(&queued)["status"], "queued");
    let ran = site.run(&["--json", "tasks", "cancel", "--all"]);
    let done = ran.json();
    assert_eq!((&done["cancelled"], &done["asked"]), (&json!(1), &json!(1)));
}

#[test]
fn a_filter_needs_all_and_goes_with_no_id() {
    let site = Site::start();
    let id = site.submit(&["--type", "a"]);
    for command in ["cancel", "purge"] {
        for arguments in [
            &[][..],
            &["--queue", "default"],
            &[&*id, "--all"],
            &[&*id, "--queue", "default"],
        ] {
            let ran = site.run(&[&["tasks", command], arguments].concat());
            assert_eq!(ran.status, 2, "{command} {arguments:?}: {ran:?}");
        }
    }
    let ended = site.run(&["tasks", "cancel", "--all", "--status", "dead"]);
    assert!(
        ended
            .error(2)
            .contains("blocked, scheduled, queued, running"),
        "{ended:?}"
    );
    let nowhere = site.run(&["--json", "tasks", "purge", "--all", "--queue", "a b"]);
    assert_eq!(
        (nowhere.status, &nowhere.problem()["field"]),
        (2, &json!("queue"))
    );
    assert_eq!(site.task(&id)["status"], "queued");
}
