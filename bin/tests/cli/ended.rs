//! What is said of tasks that have ended, and of how to go on.

use crate::process::Site;

/// Leases the task, and fails it.
fn fail(site: &Site, id: &str, more: &[&str]) {
    let leased = site.run(&["-q", "tasks", "lease"]);
    let (task, lease) = leased.good().split_once(' ').expect("a task and its lease");
    assert_eq!(task, id);
    let fail = ["tasks", "fail", task, lease, "--message", "disk full"];
    site.run(&[&fail, more].concat()).good();
}

#[test]
fn a_cancelled_task_is_not_said_to_be_cancelled_because_of_a_failed_attempt() {
    let site = Site::start();
    let id = site.submit(&["--type", "a", "--retry-delay", "1h"]);
    fail(&site, &id, &[]);
    site.run(&["tasks", "cancel", &id]).good();
    let explained = site.run(&["tasks", "explain", &id]);
    assert!(
        explained.good().contains("it was cancelled"),
        "{explained:?}"
    );
    let waited = site.run(&["tasks", "wait", &id]);
    assert!(
        waited.stdout.ends_with("no reason was given\n"),
        "{waited:?}"
    );
    for said in [explained, waited, site.run(&["tasks", "list"])] {
        assert!(!said.stdout.contains("disk full"), "{said:?}");
    }
    assert_eq!(site.task(&id)["last_error"]["message"], "disk full");
}

#[test]
fn a_cancelled_task_is_said_to_be_cancelled_for_the_reason_that_was_given() {
    let site = Site::start();
    let id = site.submit(&["--type", "a", "--retry-delay", "1h"]);
    fail(&site, &id, &[]);
    site.run(&["tasks", "cancel", &id, "--reason", "not now"])
        .good();
    for command in ["explain", "wait"] {
        let said = site.run(&["tasks", command, &id]);
        assert!(said.stdout.trim_end().ends_with(": not now"), "{said:?}");
    }
}

#[test]
fn a_task_that_a_dead_one_let_down_is_not_advised_to_be_redriven_alone() {
    let site = Site::start();
    let parent = site.submit(&["--type", "a"]);
    let child = site.submit(&[
        "--type",
        "a",
        "--depends-on",
        &parent,
        "--if-unsatisfied",
        "dead",
    ]);
    fail(&site, &parent, &["--final"]);
    let explained = site.run(&["tasks", "explain", &child]);
    let both = format!("`russet tasks redrive {parent} {child}` lets them go on");
    assert!(explained.good().ends_with(&both), "{explained:?}");
    site.run(&["tasks", "redrive", &parent, &child]).good();
}

#[test]
fn a_task_and_a_queue_are_not_redriven_at_once() {
    let site = Site::start();
    let id = site.submit(&["--type", "a"]);
    fail(&site, &id, &["--final"]);
    let ran = site.run(&["tasks", "redrive", &id, "--queue", "other"]);
    assert!(ran.error(2).contains("--queue"), "{ran:?}");
    assert_eq!(site.task(&id)["status"], "dead");
}

#[test]
fn a_list_names_the_tasks_of_a_workflow_also_when_they_were_cancelled() {
    let site = Site::start();
    let file = r#"{"name": "w", "tasks": [{"name": "extract", "type": "a"}]}"#;
    site.file("w.json", file);
    let id = site.run(&["-q", "workflows", "submit", "w.json"]);
    let cancel = ["workflows", "cancel", id.good(), "--reason", "not now"];
    site.run(&cancel).good();
    let listed = site.run(&["tasks", "list"]);
    assert!(listed.good().contains("extract: not now"), "{listed:?}");
}
