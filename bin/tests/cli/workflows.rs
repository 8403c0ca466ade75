use serde_json::json;

use crate::process::Site;

const CHAIN: &str = r#"{"name": "chain", "tasks": [
    {"name": "first", "type": "a"},
    {"name": "then", "type": "a", "depends_on": ["first"]}]}"#;

#[test]
fn a_workflow_is_submitted_and_looked_at() {
    let site = Site::start();
    site.file("w.json", CHAIN);
    let submitted = site
        .run(&["--json", "workflows", "submit", "w.json"])
        .json();
    let id = submitted["workflow"].as_str().expect("an id");
    assert_eq!(
        submitted["tasks"].as_object().map(serde_json::Map::len),
        Some(2)
    );
    let shown = site.run(&["workflows", "get", id]);
    assert!(
        shown.good().contains("chain is running: 2 tasks"),
        "{shown:?}"
    );
    assert!(
        shown
            .good()
            .lines()
            .any(|l| l.contains("then") && l.contains("blocked"))
    );
    let json = site.run(&["--json", "workflows", "get", id]).json();
    assert_eq!(
        (&json["status"], &json["counts"]["live"]),
        (&json!("running"), &json!(2))
    );
    let tasks = site.run(&["-q", "tasks", "list", "--workflow", id]);
    assert_eq!(tasks.good().lines().count(), 2);
}

#[test]
fn waiting_for_a_workflow_fails_unless_all_succeeded() {
    let site = Site::start();
    let _worker = site.worker(&["--shell", "--exec", "test $RUSSET_TYPE = a || exit 65"]);
    site.file("good.json", CHAIN);
    let ran = site.run(&["workflows", "submit", "--wait", "good.json"]);
    assert!(ran.good().contains("2 succeeded"), "{ran:?}");
    let bad = CHAIN.replace(r#""first", "type": "a""#, r#""first", "type": "bad""#);
    let ran = site.feed(&["workflows", "submit", "--wait", "-"], &bad);
    assert_eq!(ran.status, 1);
    assert!(
        ran.stdout
            .contains("failed: 2 tasks, 0 succeeded, 1 dead, 1 cancelled"),
        "{ran:?}"
    );
}

#[test]
fn a_workflow_that_cannot_be_is_refused_with_what_is_wrong() {
    let site = Site::start();
    let refuse = |text: &str| {
        let ran = site.feed(&["workflows", "submit", "-"], text);
        ran.error(2).to_owned()
    };
    assert!(refuse("{").starts_with("error: -: it is not JSON"));
    assert!(refuse(r#"{"tasks": []}"#).starts_with("error: tasks: is empty"));
    let cycle = CHAIN.replace(r#""first", "#, r#""first", "depends_on": ["then"], "#);
    assert!(refuse(&cycle).starts_with("error: dependencies form a cycle: "));
    let unknown = CHAIN.replace(r#"["first"]"#, r#"["fisrt"]"#);
    assert!(
        refuse(&unknown).ends_with("(did you mean \"first\"?)"),
        "{}",
        refuse(&unknown)
    );
}
