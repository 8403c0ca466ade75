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
fn waiting_for_what_had_been_submitted_before_says_so() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "true"]);
    let keyed = CHAIN.replacen('{', r#"{"idempotency_key": "k", "#, 1);
    site.file("w.json", &keyed);
    for (command, said) in [
        (
            ["workflows", "submit", "w.json", "--wait"].as_slice(),
            "submitted",
        ),
        (
            &["workflows", "submit", "w.json", "--wait"],
            "had been submitted before",
        ),
        (
            &["submit", "--type", "a", "--key", "l", "--wait"],
            "submitted",
        ),
        (
            &["submit", "--type", "a", "--key", "l", "--wait"],
            "had been submitted before",
        ),
    ] {
        let ran = site.run(command);
        ran.good();
        let said = format!(" {said}, waiting for its end");
        assert!(
            ran.stderr.lines().any(|line| line.ends_with(&said)),
            "{ran:?}"
        );
    }
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
    let last = ran.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("  first (") && last.ends_with("): exit status 65"),
        "{ran:?}"
    );
}

#[test]
fn the_example_for_a_server_runs_on_one() {
    let site = Site::start();
    let _worker = site.worker(&["--queue", "reports", "--exec", "cat"]);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/server/report.yaml"
    );
    let ran = site.run(&["workflows", "submit", file, "--wait"]);
    let done = "monthly-report succeeded: 4 tasks, 4 succeeded";
    assert!(ran.good().contains(done), "{ran:?}");
    let again = site.run(&["workflows", "submit", file]);
    assert!(
        again.good().ends_with("had been submitted before, 4 tasks"),
        "{again:?}"
    );
}

#[test]
fn a_file_for_the_other_kind_of_workflow_is_told_apart() {
    let site = Site::start();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for name in ["hello.yaml", "diamond.json"] {
        let file = format!("{examples}/{name}");
        let ran = site.run(&["workflows", "submit", &file]);
        let error = ran.error(2);
        assert!(error.contains("is a file for `russet run`"), "{error}");
    }
    site.file("russet.toml", "[server]\nlisten = '127.0.0.1:0'\n");
    let ran = site.run(&["workflows", "submit", "russet.toml"]);
    let start = "error: russet.toml: is a configuration, not a workflow";
    assert!(ran.error(2).starts_with(start), "{ran:?}");
    let ran = site.run(&["run", &format!("{examples}/server/report.yaml")]);
    let error = ran.error(2);
    assert!(
        error.contains("`russet workflows submit` sends it"),
        "{error}"
    );
    site.file("bad.yaml", "tasks:\n  - name: [\n");
    let ran = site.run(&["workflows", "submit", "bad.yaml"]);
    assert!(ran.error(2).starts_with("error: bad.yaml:"), "{ran:?}");
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
        refuse(&unknown).contains("here: did you mean \"first\"?"),
        "{}",
        refuse(&unknown)
    );
}

#[test]
fn a_workflow_is_cancelled_by_its_id() {
    let site = Site::start();
    let submitted = site.feed(&["-q", "workflows", "submit", "-"], CHAIN);
    let id = submitted.good().to_owned();
    let cancelled = site.run(&["workflows", "cancel", &id, "--reason", "wrong input"]);
    assert_eq!(cancelled.good(), format!("{id} chain: 2 tasks cancelled"));
    let shown = site.run(&["workflows", "get", &id]);
    assert!(shown.good().contains("wrong input"), "{shown:?}");
    let json = site.run(&["--json", "workflows", "cancel", &id]).json();
    assert_eq!((&json["cancelled"], &json["asked"]), (&json!(0), &json!(0)));
}

#[test]
fn a_failed_workflow_goes_on_where_it_failed() {
    let site = Site::start();
    let worker = site.worker(&["--shell", "--exec", "test $RUSSET_TYPE = a || exit 65"]);
    let three = CHAIN.replace(
        "]}]}",
        r#"]}, {"name": "last", "type": "a", "depends_on": ["then"]}]}"#,
    );
    let bad = three.replace(r#""then", "type": "a""#, r#""then", "type": "bad""#);
    let ran = site.feed(&["workflows", "submit", "--wait", "-"], &bad);
    assert!(
        ran.stdout.contains("1 succeeded, 1 dead, 1 cancelled"),
        "{ran:?}"
    );
    let id = ran.stdout.split(' ').next().expect("an id").to_owned();
    drop(worker);
    let redriven = site.run(&["workflows", "redrive", &id]);
    assert_eq!(
        redriven.good(),
        format!("{id} chain: 2 tasks redriven, 1 kept as succeeded, 0 not redriven")
    );
    let json = site.run(&["--json", "workflows", "redrive", &id]).json();
    assert_eq!(
        (&json["redriven"], &json["refused"]),
        (&json!(0), &json!(0))
    );
    let _worker = site.worker(&["--exec", "true"]);
    let waited = site.run(&["workflows", "redrive", "--wait", &id]);
    assert!(waited.good().contains("3 succeeded"), "{waited:?}");
}

#[test]
fn a_redrive_of_a_workflow_says_what_stays_and_why() {
    let site = Site::start();
    let submitted = site
        .feed(&["--json", "workflows", "submit", "-"], CHAIN)
        .json();
    let id = submitted["workflow"].as_str().expect("an id");
    let first = submitted["tasks"]["first"].as_str().expect("an id");
    site.run(&["tasks", "cancel", first]).good();
    let ran = site.run(&["workflows", "redrive", id]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].ends_with("0 tasks redriven, 0 kept as succeeded, 2 not redriven"));
    assert!(
        lines[1].starts_with("  first: ") && lines[1].contains("somebody cancelled it"),
        "{ran:?}"
    );
    assert!(
        lines[2].starts_with("  then: ") && lines[2].contains(first),
        "{ran:?}"
    );
    let ran = site.run(&["workflows", "redrive", "--cancelled", id]);
    assert!(ran.good().contains("2 tasks redriven"), "{ran:?}");
    site.run(&["tasks", "cancel", first]).good();
    site.run(&["tasks", "redrive", first]).error(1);
    let ran = site.run(&["tasks", "redrive", "--cancelled", first]);
    assert_eq!(ran.good(), format!("{first} is queued"));
}
