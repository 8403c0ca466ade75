//! What `--json` says of an error: the parts that a program looks for, and not a sentence alone.

use serde_json::json;

use crate::process::{Ran, Site, russet};

#[test]
fn a_line_of_a_file_that_is_no_task_is_refused_with_the_field_as_the_server_would() {
    let site = Site::start();
    let text = "{\"type\": \"a\"}\n{\"type\": \"a\", \"priority\": \"high\"}\n";
    site.file("tasks.jsonl", text);
    let ran = site.run(&["--json", "submit", "-f", "tasks.jsonl"]);
    let problem = ran.problem();
    assert_eq!(
        (
            ran.status,
            &problem["code"],
            &problem["field"],
            &problem["status"]
        ),
        (2, &json!("invalid"), &json!("priority"), &json!(422))
    );
    assert!(problem["limit"].is_string(), "{problem}");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with("tasks.jsonl:2: priority: "), "{detail}");
    assert!(detail.ends_with("; nothing was submitted"), "{detail}");
}

#[test]
fn a_workflow_that_cannot_be_is_refused_with_the_field_by_this_side_and_by_the_server() {
    let site = Site::start();
    for (task, field) in [
        (r#""priority": "high""#, "tasks[0].priority"),
        (r#""priority": 12"#, "tasks[0].priority"),
        (r#""depends_on": ["b"]"#, "tasks[0].depends_on[0]"),
    ] {
        let workflow = format!(r#"{{"tasks": [{{"name": "a", "type": "t", {task}}}]}}"#);
        site.file("w.json", &workflow);
        let ran = site.run(&["--json", "workflows", "submit", "w.json"]);
        let problem = ran.problem();
        assert_eq!(
            (ran.status, &problem["field"]),
            (2, &json!(field)),
            "{problem}"
        );
        assert!(problem["limit"].is_string(), "{problem}");
    }
    let cycle = r#"{"tasks": [{"name": "a", "type": "t", "depends_on": ["b"]}, {"name": "b", "type": "t", "depends_on": ["a"]}]}"#;
    site.file("w.json", cycle);
    let problem = site
        .run(&["--json", "workflows", "submit", "w.json"])
        .problem();
    assert_eq!(
        problem["path"].as_array().map(Vec::len),
        Some(3),
        "{problem}"
    );
}

#[test]
fn each_problem_of_a_file_to_run_stands_by_itself() {
    let site = Site::start();
    let text = "tasks:\n  a: {run: 7}\n  b: {run: 'true', needs: [c]}\n";
    site.file("w.yaml", text);
    let ran = site.run(&["--json", "run", "w.yaml"]);
    let problem = ran.problem();
    assert_eq!(
        (ran.status, &problem["code"]),
        (2, &json!("invalid_workflow"))
    );
    let problems = problem["problems"].as_array().expect("a list");
    assert!(problems.len() >= 2, "{problem}");
    for (one, task) in problems.iter().zip(["a", "b"]) {
        assert_eq!(one["task"], task, "{problem}");
        assert!(
            one["field"].is_string() && one["detail"].is_string(),
            "{problem}"
        );
    }
}

#[test]
fn a_command_line_that_cannot_be_names_the_option_and_what_it_takes() {
    let run = |arguments: &[&str]| -> Ran {
        let mut command = russet();
        command
            .arg("--json")
            .args(arguments)
            .output()
            .expect("runs")
            .into()
    };
    let state = run(&["tasks", "list", "--status", "asleep"]).problem();
    assert_eq!(
        (&state["code"], &state["field"]),
        (&json!("usage"), &json!("--status"))
    );
    let limit = state["limit"].as_str().expect("a text");
    assert!(limit.starts_with("blocked, scheduled"), "{limit}");
    let number = run(&["submit", "--type", "a", "--priority", "12"]).problem();
    assert_eq!(number["field"], "--priority");
    let unknown = run(&["submit", "--type", "a", "--prio", "1"]).problem();
    assert_eq!(unknown["field"], "--prio");
}
