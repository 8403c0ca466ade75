//! A whole data directory of an earlier version: it opens, has what it had, and goes on.
//!
//! `tests/fixtures/data-vN` is such a directory of format N, and `data-vN.json` says what is in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use russet_core::codec::FORMAT;
use russet_tests::{Http, Serve, Settings, eventually};
use serde_json::{Value, json};

/// As long as anything may be kept: ten years.
const AGES_MS: u64 = 315_360_000_000;
/// How a task can end.
const ENDED: [&str; 3] = ["succeeded", "dead", "cancelled"];
const RUSSET: &str = env!("CARGO_BIN_EXE_russet-under-test");

fn folder(format: u8) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(format!("data-v{format}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes the folder");
    for entry in fs::read_dir(from).expect("is readable").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copies");
    }
}

fn post(client: &mut Http, path: &str, body: &Value) -> Value {
    client.post(path, body).expect("the server answers").good()
}

fn lease(client: &mut Http, max: u64) -> Vec<Value> {
    let request =
        json!({"queues": ["default", "limited"], "worker": "w", "max": max, "wait_ms": 200});
    let reply = post(client, "/v1/leases", &request);
    reply["tasks"].as_array().expect("lists tasks").clone()
}

fn report(client: &mut Http, kind: &str, task: &Value, more: Value) {
    let mut body = json!({"task": task["id"], "lease_id": task["lease_id"]});
    body.as_object_mut()
        .expect("is an object")
        .extend(more.as_object().cloned().unwrap_or_default());
    post(client, &format!("/v1/leases/{kind}"), &body);
}

/// All tasks, by id.
fn tasks(client: &mut Http) -> BTreeMap<String, Value> {
    let page = client.get("/v1/tasks?limit=1000").expect("answers").good();
    let items = page["items"].as_array().expect("is a page");
    let id = |task: &Value| task["id"].as_str().expect("has an id").to_owned();
    items.iter().map(|task| (id(task), task.clone())).collect()
}

/// What there is of a value: the text of an earlier version says `null` of what there is not.
fn there(value: &Value) -> Value {
    match value.as_object() {
        Some(fields) => {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            there
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }
        None => value.clone(),
    }
}

/// What cannot change while nobody works on the tasks.
fn lasting(task: &Value) -> Value {
    let mut kept = json!({});
    for field in [
        "type",
        "queue",
        "payload",
        "priority",
        "max_retries",
        "attempt",
        "metadata",
        "idempotency_key",
        "workflow_id",
        "created_at",
        "dependencies",
        "resource_requirements",
    ] {
        kept[field] = there(&task[field]);
    }
    if ENDED.iter().any(|ended| task["status"] == **ended) {
        for field in ["status", "result", "last_error", "completed_at", "progress"] {
            kept[field] = there(&task[field]);
        }
    }
    kept
}

/// Requests under keys that name what is in the directory for as long as it may be.
fn keyed() -> [(&'static str, Value); 2] {
    let task = json!({
        "type": "mail.send", "name": "keyed", "payload": {"to": "me"}, "retry": {"backoff_ms": 5},
        "idempotency_key": "order 4711", "idempotency_window_ms": AGES_MS, "delay_ms": 5,
        "retention_ms": AGES_MS,
    });
    let chain = |name: &str, after: &[&str]| json!({"type": "step", "name": name, "depends_on": after, "retention_ms": AGES_MS});
    let workflow = json!({
        "name": "nightly", "idempotency_key": "nightly 1", "idempotency_window_ms": AGES_MS,
        "tasks": [chain("extract", &[]), chain("load", &["extract"])],
    });
    [("/v1/tasks", task), ("/v1/workflows", workflow)]
}

/// Makes the directory, with a task in every state.
fn write() {
    let made = tempfile::tempdir().expect("makes a folder");
    let server = Settings::new(RUSSET, made.path()).start();
    let mut client = server.client();
    let mut limit = || client.send("PATCH", "/v1/queues/limited", br#"{"concurrency": 3}"#);
    limit().expect("answers").good();
    let mut submit = |name: &str, more: Value| {
        let mut task =
            json!({"type": "t", "name": name, "payload": [name], "retention_ms": AGES_MS});
        task.as_object_mut()
            .expect("is an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        post(&mut client, "/v1/tasks", &task)["task"].clone()
    };
    submit("succeeds", json!({"priority": 9}));
    submit("dies", json!({"priority": 8, "max_retries": 0}));
    submit(
        "runs",
        json!({"priority": 7, "queue": "limited", "visibility_timeout_ms": 100}),
    );
    let cancelled = submit("is cancelled", json!({}));
    let waits = submit(
        "is queued",
        json!({"resource_requirements": {"gpu": 1}, "metadata": {"a": 1}}),
    );
    submit("is blocked", json!({"dependencies": [waits]}));
    let leased = lease(&mut client, 3);
    assert_eq!(leased.len(), 3);
    let progress = json!({"progress": {"percent": 50, "checkpoint": {"page": 4}}});
    report(&mut client, "extend", &leased[0], progress);
    report(
        &mut client,
        "complete",
        &leased[0],
        json!({"result": {"well": true}}),
    );
    report(
        &mut client,
        "fail",
        &leased[1],
        json!({"message": "no route"}),
    );
    let cancelled = cancelled.as_str().expect("is an id");
    post(
        &mut client,
        &format!("/v1/tasks/{cancelled}/cancel"),
        &json!({"reason": "not needed"}),
    );
    let names: Vec<_> = keyed()
        .iter()
        .map(|(path, body)| post(&mut client, path, body))
        .collect();
    let listed = json!({"tasks": tasks(&mut client), "keyed": names});
    server.process.terminate();
    let (status, said) = server.process.end();
    assert!(status.success(), "{status}: {said}");

    let folder = folder(FORMAT);
    // There may be none yet.
    let _ = fs::remove_dir_all(&folder);
    copy(made.path(), &folder);
    let text = serde_json::to_string_pretty(&listed).expect("serialises") + "\n";
    fs::write(folder.with_extension("json"), text).expect("writes");
}

/// A server on a copy of the directory, and what is to be in it.
fn opened(format: u8) -> (tempfile::TempDir, Serve, Value) {
    if format == FORMAT && russet_tests::writes_fixtures() {
        write();
    }
    let folder = folder(format);
    let text = fs::read_to_string(folder.with_extension("json")).expect("is readable");
    let copied = tempfile::tempdir().expect("makes a folder");
    copy(&folder, copied.path());
    let server = Settings::new(RUSSET, copied.path()).start();
    (copied, server, text.parse().expect("is JSON"))
}

#[test]
fn a_data_directory_of_an_earlier_version_has_what_it_had_and_goes_on() {
    for format in 1..=FORMAT {
        goes_on(format);
    }
}

fn goes_on(format: u8) {
    let (_copied, server, known) = opened(format);
    let mut client = server.client();
    let found = tasks(&mut client);
    let known_tasks = known["tasks"].as_object().expect("lists tasks");
    assert_eq!(found.len(), known_tasks.len());
    for (id, task) in known_tasks {
        assert_eq!(lasting(&found[id]), lasting(task), "{id}");
    }
    let queue = client.get("/v1/queues/limited").expect("answers").good();
    assert_eq!(queue["config"]["concurrency"], 3, "{queue}");

    for ((path, body), before) in keyed()
        .iter()
        .zip(known["keyed"].as_array().expect("is a list"))
    {
        let again = post(&mut client, path, body);
        assert_eq!(
            again["existing"],
            json!(true),
            "the key of {body} is forgotten: {again}"
        );
        let named = ["task", "tasks", "workflow"].map(|field| again[field].clone());
        assert_eq!(
            named,
            ["task", "tasks", "workflow"].map(|field| before[field].clone())
        );
    }

    eventually("every task ends", || {
        for task in lease(&mut client, 100) {
            report(&mut client, "complete", &task, json!({"result": "later"}));
        }
        let live = |task: &Value| task["completed_at"].is_null();
        (!tasks(&mut client).values().any(live)).then_some(())
    });
    let ended = tasks(&mut client);
    assert_eq!(ended.len(), known_tasks.len());
    for (id, task) in known_tasks {
        let had_ended = ENDED.into_iter().find(|ended| task["status"] == **ended);
        let expected = had_ended.unwrap_or("succeeded");
        assert_eq!(ended[id]["status"], expected, "{id}");
        let newer = ended[id]["attempt"].as_u64() >= task["attempt"].as_u64();
        assert!(newer, "the fencing token of {id} fell");
    }
}
