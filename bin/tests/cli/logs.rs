//! What the server and the worker log, as programs read it.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::process::{Process, Site};

/// Makes a command log everything of ours as JSON into a file.
fn logging(command: &mut Command, file: &File) {
    command.args(["--log-format", "json"]);
    command.env("RUSSET_LOG", "debug");
    command.stderr(file.try_clone().expect("is duplicated"));
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("text");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    text.lines().map(line).collect()
}

/// The spans around the line that says this, the innermost last.
fn spans<'a>(lines: &'a [Value], message: &str, wanted: &Value) -> &'a [Value] {
    let has = |spans: &[Value]| spans.iter().any(|span| holds(span, wanted));
    let spans = lines
        .iter()
        .filter(|line| line["fields"]["message"] == message)
        .filter_map(|line| line["spans"].as_array())
        .find(|spans| has(spans));
    spans.unwrap_or_else(|| panic!("no {message:?} within {wanted}: {lines:#?}"))
}

fn holds(span: &Value, wanted: &Value) -> bool {
    let mut fields = wanted.as_object().expect("an object").iter();
    fields.all(|(name, value)| span[name] == *value)
}

#[test]
fn a_request_and_an_attempt_are_spans_that_name_them() {
    let (of_server, of_worker) = (file(), file());
    let mut site = Site::with(|command| logging(command, of_server.as_file()));
    let mut command = site.command(&["worker", "--exec", "true"]);
    logging(&mut command, of_worker.as_file());
    let mut worker = Process::spawn(&mut command);
    let task = site
        .run(&["--json", "submit", "--wait", "--type", "mail"])
        .json();
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    site.process.signal("TERM");
    assert_eq!(site.process.wait(), 0);

    let server = lines(of_server.path());
    let submit = json!({"name": "request", "method": "POST", "path": "/v1/tasks"});
    spans(&server, "answered", &submit);
    let complete = json!({"name": "request", "method": "POST", "path": "/v1/leases/complete"});
    spans(&server, "answered", &complete);
    let stopped = server.last().expect("a line");
    assert_eq!(stopped["fields"]["message"], "russet has stopped");

    let worker = lines(of_worker.path());
    let attempt = json!({"name": "task", "id": task["id"], "type": "mail", "attempt": 1});
    spans(&worker, "done: reporting it", &attempt);
}

#[test]
fn a_task_that_is_given_back_for_no_time_has_no_delay_in_the_log() {
    let of_worker = file();
    let site = Site::start();
    let mut command = site.command(&["worker", "--drain", "0s", "--exec", "sleep 60"]);
    logging(&mut command, of_worker.as_file());
    let mut worker = Process::spawn(&mut command);
    let task = site.submit(&["--type", "mail"]);
    while site.task(&task)["status"] != "running" {
        std::thread::sleep(Duration::from_millis(20));
    }
    worker.signal("TERM");
    assert_eq!(worker.wait(), 0);
    let lines = lines(of_worker.path());
    let fields = lines.iter().map(|line| &line["fields"]);
    let given_back = fields.filter(|fields| fields["message"] == "given back");
    let given_back: Vec<_> = given_back.collect();
    assert_eq!(given_back.len(), 1, "{lines:#?}");
    assert_eq!(given_back[0].get("delay"), None, "{given_back:?}");
}

fn file() -> NamedTempFile {
    NamedTempFile::new().expect("a file")
}
