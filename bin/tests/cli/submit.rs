use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Process, Site, russet};

#[test]
fn a_submitted_task_is_named_in_each_form_of_output() {
    let site = Site::start();
    let plain = site.run(&["submit", "--type", "mail", "--payload", r#"{"to": "me"}"#]);
    assert!(plain.good().ends_with(" submitted"), "{plain:?}");
    let id = site.submit(&["--type", "mail", "--key", "k", "--priority", "9"]);
    assert_eq!(id.len(), 26);
    let again = site.run(&[
        "--json",
        "submit",
        "--type",
        "mail",
        "--key",
        "k",
        "--priority",
        "9",
    ]);
    assert_eq!(again.json(), json!({"task": id, "existing": true}));
    assert_eq!(site.task(&id)["priority"], 9);
}

#[test]
fn a_payload_comes_from_the_command_line_a_file_or_standard_input() {
    let site = Site::start();
    let id = site.submit(&["--type", "a", "--payload", "[1]"]);
    assert_eq!(site.task(&id)["payload"], json!([1]));
    site.file("p.json", "{\"from\": \"a file\"}");
    let id = site.submit(&["--type", "a", "--payload", "@p.json"]);
    assert_eq!(site.task(&id)["payload"], json!({"from": "a file"}));
    let ran = site.feed(
        &["submit", "-q", "--type", "a", "--payload", "-"],
        "\"text\"",
    );
    assert_eq!(site.task(ran.good())["payload"], "text");
}

#[test]
fn bounded_a_file_that_is_too_large_is_not_read_to_its_end() {
    let site = Site::start();
    site.file("large.json", &"1".repeat(2 << 20));
    for file in ["/dev/zero", "large.json"] {
        let ran = site.run(&["submit", "--type", "a", "--payload", &format!("@{file}")]);
        let said = format!("{file} has more than 1048576 bytes");
        assert!(ran.error(2).contains(&said), "{ran:?}");
    }
}

#[test]
fn only_one_option_takes_standard_input() {
    let site = Site::start();
    let both = ["submit", "--type", "a", "--payload", "-", "--metadata", "-"];
    let ran = site.feed(&both, "{}");
    assert!(ran.error(2).contains("only one option"), "{ran:?}");
}

#[test]
fn everything_that_a_task_has_can_be_said() {
    let site = Site::start();
    let parent = site.submit(&["--type", "a", "--delay", "1h"]);
    let id = site.submit(&[
        "--type",
        "b",
        "--queue",
        "q",
        "--max-retries",
        "3",
        "--timeout",
        "90s",
        "--need",
        "cpu=2",
        "--need",
        "gpu=1",
        "--depends-on",
        &parent,
    ]);
    let task = site.task(&id);
    assert_eq!(
        (&task["queue"], &task["status"]),
        (&json!("q"), &json!("blocked"))
    );
    assert_eq!(
        (&task["max_retries"], &task["timeout_ms"]),
        (&json!(3), &json!(90_000))
    );
    assert_eq!(task["resource_requirements"], json!({"cpu": 2, "gpu": 1}));
    assert_eq!(task["dependencies"][0]["task"], parent);
    assert_eq!(site.task(&parent)["status"], "scheduled");
}

#[test]
fn a_task_that_nobody_can_run_is_submitted_with_a_warning() {
    let site = Site::start();
    let ran = site.run(&["submit", "--type", "train", "--need", "gpu=8"]);
    assert!(ran.good().ends_with("submitted"));
    assert!(
        ran.stderr
            .starts_with("warning: no live worker of queue default has gpu=8"),
        "{ran:?}"
    );
    let ran = site.run(&["--json", "submit", "--type", "train", "--need", "gpu=8"]);
    assert!(ran.json()["warnings"][0].is_string(), "{ran:?}");
    let later = site.run(&[
        "submit", "--type", "train", "--need", "gpu=8", "--delay", "1h",
    ]);
    assert!(
        later
            .stderr
            .starts_with("warning: no live worker of queue default has gpu=8"),
        "{later:?}"
    );
}

#[test]
fn tasks_of_a_file_and_of_a_workflow_that_nobody_can_run_are_submitted_with_a_warning() {
    let site = Site::start();
    let needy = r#"{"type": "train", "resource_requirements": {"gpu": 8}}"#;
    let plain = r#"{"type": "train"}"#;
    let file = site.file("tasks.jsonl", &format!("{plain}\n{needy}\n{needy}\n"));
    let file = file.to_str().expect("text");
    let ran = site.run(&["submit", "--file", file]);
    let told = "line 2: warning: no live worker of queue default has gpu=8";
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{ran:?}");
    assert!(ran.stderr.starts_with(told), "{ran:?}");
    let ran = site.run(&["--json", "submit", "--file", file]);
    let lines: Vec<Value> = ran
        .good()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let warnings: Vec<_> = lines
        .iter()
        .map(|line| line["warnings"].is_array())
        .collect();
    assert_eq!(warnings, [false, true, true]);
    let workflow =
        r#"{"tasks": [{"name": "a", "type": "t", "resource_requirements": {"gpu": 8}}]}"#;
    let file = site.file("workflow.json", workflow);
    let file = file.to_str().expect("text");
    let ran = site.run(&["workflows", "submit", file]);
    assert!(ran.stderr.starts_with("warning: no live worker"), "{ran:?}");
    let ran = site.run(&["--json", "workflows", "submit", file]);
    assert!(ran.json()["warnings"][0].is_string(), "{ran:?}");
}

#[test]
fn bad_input_is_refused_with_the_field_and_exit_status_2() {
    let site = Site::start();
    for (arguments, expected) in [
        (
            &["--type", "a b"][..],
            "error: type: \"a b\" is not a task type",
        ),
        (
            &["--type", "a", "--payload", "{x}"],
            "error: --payload: it is not JSON",
        ),
        (
            &["--type", "a", "--payload", "@nowhere"],
            "error: cannot read nowhere",
        ),
        (
            &["--type", "a", "--priority", "10"],
            "error: invalid value '10' for '--priority",
        ),
        (
            &["--type", "a", "--delay", "soon"],
            "error: invalid value 'soon' for '--delay",
        ),
        (
            &["--type", "a", "--need", "cpu"],
            "error: invalid value 'cpu' for '--need",
        ),
        (
            &["--type", "a", "--depends-on", "x"],
            "error: invalid value 'x' for '--depends-on",
        ),
        (
            &["--type", "a", "--timeout", "0s"],
            "error: invalid value '0s' for '--timeout <DURATION>': it must be longer than zero",
        ),
        (
            &["--type", "a", "--max-retries", "-1"],
            "error: invalid value '-1' for '--max-retries",
        ),
        (
            &["--type", "a", "--need", "cpu=2", "--need", "cpu=3"],
            "error: --need: cpu is named twice",
        ),
        (
            &["--type", "a", "--need", "cpu=0"],
            "error: resource_requirements.cpu: 0 is nothing",
        ),
        (
            &["--url", "foo", "--type", "a"],
            "error: --url: \"foo\" is not of the form",
        ),
        (
            &[],
            "error: the following required arguments were not provided",
        ),
    ] {
        let ran = site.run(&[&["submit"], arguments].concat());
        assert!(
            ran.error(2).starts_with(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    let ran = site.run(&["--json", "submit", "--type", "a b"]);
    assert_eq!((ran.status, &ran.problem()["field"]), (2, &json!("type")));
    let ran = site.run(&["--json", "submit"]);
    assert_eq!((ran.status, &ran.problem()["code"]), (2, &json!("usage")));
}

#[test]
fn many_tasks_are_submitted_from_a_file_in_batches() {
    let site = Site::start();
    let lines: String = (0..2_100)
        .map(|n| format!("{{\"type\": \"t{n}\"}}\n\n"))
        .collect();
    site.file("tasks.jsonl", &lines);
    let ran = site.run(&["submit", "-f", "tasks.jsonl"]);
    assert_eq!(ran.good(), "2100 submitted, 0 existed, 0 refused");
    let listed = site.run(&["-q", "tasks", "list", "--all"]);
    assert_eq!(listed.good().lines().count(), 2_100);
    let ran = site.feed(
        &["-q", "submit", "-f", "-"],
        "{\"type\": \"a\"}\n{\"type\": \"b\"}",
    );
    assert_eq!(ran.good().lines().count(), 2);
}

#[test]
fn a_line_that_is_no_task_is_named_and_nothing_is_submitted() {
    let site = Site::start();
    site.file(
        "tasks.jsonl",
        "{\"type\": \"a\"}\n{\"type\": \"a\", \"prio\": 1}\n",
    );
    let ran = site.run(&["submit", "-f", "tasks.jsonl"]);
    let error = ran.error(2);
    assert!(
        error.starts_with("error: tasks.jsonl:2: prio: unknown field"),
        "{error}"
    );
    assert!(error.ends_with("; nothing was submitted"), "{error}");
    assert!(error.contains("did you mean `priority`?"), "{error}");
    assert!(!error.contains("line 1"), "{error}");
    assert_eq!(site.run(&["tasks", "list"]).good(), "no tasks");
}

#[test]
fn a_line_that_the_server_refuses_is_told_and_the_others_are_submitted() {
    let site = Site::start();
    let text = "{\"type\": \"a\"}\n{\"type\": \"a\", \"priority\": 11}\n{\"type\": \"c\"}\n";
    site.file("tasks.jsonl", text);
    let ran = site.run(&["submit", "-f", "tasks.jsonl"]);
    assert_eq!(
        (ran.status, ran.stdout.trim_end()),
        (1, "2 submitted, 0 existed, 1 refused")
    );
    assert_eq!(
        ran.stderr.trim_end(),
        "line 2: priority: 11 is too much (at most 9)"
    );
    let ran = site.run(&["--json", "submit", "-f", "tasks.jsonl"]);
    let lines = ran.lines();
    assert_eq!(
        (&lines[1]["line"], &lines[1]["error"]["field"]),
        (&json!(2), &json!("priority"))
    );
    assert!(lines[2]["task"].is_string());
}

#[test]
fn a_server_that_is_not_there_is_said_with_what_to_do() {
    let ran = russet()
        .args(["--url", "http://127.0.0.1:1", "tasks", "list"])
        .output();
    let ran = crate::process::Ran::from(ran.expect("runs"));
    let error = ran.error(1);
    assert!(
        error.starts_with("error: cannot reach http://127.0.0.1:1"),
        "{error}"
    );
    assert!(
        error.contains("russet serve") && error.contains("--url"),
        "{error}"
    );
}

#[test]
fn whoever_waits_is_told_the_id_at_once() {
    let site = Site::start();
    let _worker = site.worker(&["--exec", "true"]);
    let ran = site.run(&["submit", "--type", "a", "--wait"]);
    let id = ran.good().split(' ').next().expect("an id").to_owned();
    let told = format!("{id} submitted, waiting for its end");
    assert_eq!(ran.stderr.trim_end(), told);
    let quiet = site.run(&["-q", "submit", "--type", "a", "--wait"]);
    assert_eq!((quiet.good().len(), quiet.stderr.as_str()), (26, ""));
}

#[test]
fn lines_that_had_been_submitted_before_are_counted_apart() {
    let site = Site::start();
    let line = "{\"type\": \"a\", \"idempotency_key\": \"k\"}\n";
    let ran = site.feed(&["submit", "-f", "-"], &line.repeat(2));
    assert_eq!(ran.good(), "1 submitted, 1 existed, 0 refused");
}

#[test]
fn a_file_with_a_json_list_is_refused_with_what_to_write() {
    let site = Site::start();
    site.file("tasks.json", "[{\"type\": \"a\"}]");
    let ran = site.run(&["submit", "-f", "tasks.json"]);
    let expected = "error: tasks.json:1: is a JSON list: write one task a line";
    assert!(ran.error(2).starts_with(expected), "{ran:?}");
}

#[test]
fn what_options_say_of_a_task_is_kept_with_it() {
    let site = Site::start();
    let parent = site.submit(&["--type", "a"]);
    let later = site.task(&parent)["created_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    let id = site.submit(&[
        "--type",
        "b",
        "--scheduled-at",
        &later,
        "--expires-in",
        "30d",
        "--metadata",
        "{\"by\": \"me\"}",
        "--retry-delay",
        "5s",
        "--if-unsatisfied",
        "run",
        "--key",
        "k",
        "--key-window",
        "while_live",
        "--partition-key",
        "p",
        "--depends-on",
        &format!("{parent}:completion"),
    ]);
    let task = site.task(&id);
    assert_eq!(task["metadata"], json!({"by": "me"}));
    let edge = json!({"task": parent, "on": "completion"});
    assert_eq!(
        (&task["dependencies"][0], &task["partition_key"]),
        (&edge, &json!("p"))
    );
    assert!(task["expires_at"].is_string(), "{task}");
    let wrong = site.run(&[
        "submit",
        "--type",
        "b",
        "--depends-on",
        &format!("{parent}:end"),
    ]);
    assert!(wrong.error(2).contains("ID:completion"), "{wrong:?}");
}

#[test]
fn a_task_whose_dependency_has_failed_is_told_of_as_what_it_is() {
    let site = Site::start();
    let parent = site.submit(&["--type", "a"]);
    let waits = site.run(&["submit", "--type", "a", "--depends-on", &parent]);
    assert!(waits.good().ends_with(" submitted"), "{waits:?}");
    site.run(&["tasks", "cancel", &parent]).good();
    let ended = site.run(&["submit", "--type", "a", "--depends-on", &parent]);
    let said = ended.good();
    assert!(
        said.ends_with(" submitted, and already cancelled"),
        "{said}"
    );
    let why = format!("it depends on task {parent}, which ended cancelled");
    let warning = format!("warning: it is cancelled and does not run: {why}");
    assert_eq!(ended.stderr.trim_end(), warning);
    let json = site
        .run(&["--json", "submit", "--type", "a", "--depends-on", &parent])
        .json();
    assert_eq!(json["status"], "cancelled");
    let line = format!(r#"{{"type": "a", "dependencies": ["{parent}"]}}"#);
    let bulk = site.feed(&["submit", "-f", "-"], &line);
    assert!(bulk.stderr.contains(&why), "{bulk:?}");
}

#[test]
fn leases_expiry_and_backoff_are_said_on_the_command_line() {
    let site = Site::start();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let tomorrow = format!("{tomorrow:.3}");
    let options = [
        "--type",
        "a",
        "--visibility-timeout",
        "7s",
        "--expires-at",
        &tomorrow,
        "--retention",
        "1h",
        "--max-retry-delay",
        "5m",
        "--retry-jitter",
        "20",
    ];
    let task = site.task(&site.submit(&options));
    assert_eq!(task["visibility_timeout_ms"], 7_000);
    assert_eq!(task["expires_at"], tomorrow);
    let wrong = site.run(&["submit", "--type", "a", "--retry-jitter", "101"]);
    assert!(wrong.error(2).contains("--retry-jitter"), "{wrong:?}");
}

#[test]
fn a_wait_says_why_nothing_starts() {
    let site = Site::start();
    let mut command = site.command(&["submit", "--type", "a", "--wait"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = Process::spawn(command);
    let mut said = BufReader::new(waiting.stderr())
        .lines()
        .map_while(Result::ok);
    let hint = said.find(|line| line.starts_with("still waiting: "));
    let hint = hint.expect("is said");
    assert!(hint.contains("no worker asked this node"), "{hint}");
}
