//! Tasks that cannot be submitted.

use russet_core::{PartitionId, TaskId, Timestamp};
use serde_json::{Value, json};

use super::case::{Case, check, invalid, refused};
use super::server;

const PATH: &str = "/v1/tasks";

/// A task that is fine but for these fields.
fn task(fields: Value) -> Value {
    let mut task = json!({"type": "mail.send"});
    let fields = fields.as_object().cloned().unwrap_or_default();
    task.as_object_mut().expect("is an object").extend(fields);
    task
}

/// A task that is refused because of one of these fields.
pub fn bad(fields: Value, field: &str, says: &[&str]) -> Case {
    invalid(PATH, task(fields), field, says)
}

fn id(partition: u16, random: u64) -> String {
    TaskId::new(Timestamp::from_millis(1), PartitionId(partition), random).to_string()
}

#[test]
fn what_is_too_large_is_refused_with_how_large_it_may_be() {
    let payload = "x".repeat(1024 * 1024);
    let metadata = json!({"note": "x".repeat(16 * 1024)});
    let batch = |size: usize| json!({"tasks": vec![task(json!({})); size]});
    let tasks = "1 to 1000 items";
    let mut server = server();
    check(
        &mut server.serve.client(),
        vec![
            bad(
                json!({"payload": payload}),
                "payload",
                &["has 1048578 bytes", "at most 1048576 bytes"],
            ),
            bad(
                json!({"metadata": metadata}),
                "metadata",
                &["at most 16384 bytes"],
            ),
            bad(
                json!({"metadata": [1]}),
                "metadata",
                &["is not an object", "a JSON object"],
            ),
            invalid(PATH, batch(0), "tasks", &[tasks]),
            invalid(PATH, batch(1_001), "tasks", &["has 1001 items", tasks]),
        ],
    );
    let head = "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 67108865\r\n\r\n";
    let reply = server
        .serve
        .client()
        .raw(head.as_bytes())
        .expect("the server answers");
    assert_eq!((reply.status, &*reply.code()), (413, "too_large"));
    assert!(
        reply.text().contains("at most 67108864 bytes"),
        "{}",
        reply.text()
    );
    assert!(!server.serve.process.has_ended());
}

#[test]
fn what_is_no_task_at_all_is_refused_with_why() {
    let text = |body: &str| refused("POST", PATH, body, (400, "malformed"));
    check(
        &mut server().serve.client(),
        vec![
            text("").says(&["the body is empty"]),
            text("{").says(&["the body is not JSON", "line 1"]),
            text("{\"type\": \"t\"} {}").says(&["trailing characters"]),
            text("\u{0}").says(&["the body is not JSON"]),
            refused(
                "POST",
                PATH,
                b"{\"type\": \"\xff\"}".to_vec(),
                (400, "malformed"),
            ),
            refused("POST", PATH, "[]", (422, "invalid")),
            refused("POST", PATH, "7", (422, "invalid")),
            refused("POST", PATH, "null", (422, "invalid")),
            refused("POST", PATH, "{}", (422, "invalid")).says(&["type: is missing"]),
            refused("POST", PATH, r#"{"type": 7}"#, (422, "invalid")).field("type"),
            bad(
                json!({"prioritty": 9}),
                "prioritty",
                &["unknown field", "`priority`"],
            ),
            bad(
                json!({"retry": {"backof_ms": 9}}),
                "retry.backof_ms",
                &["unknown field", "`backoff_ms`"],
            ),
            invalid(
                "/v1/workflows",
                json!({"tasks": [task(json!({})), {"type": "t", "x": 1}]}),
                "tasks[1].x",
                &["unknown field"],
            ),
            bad(
                json!({"if_unsatisfied": "explode"}),
                "if_unsatisfied",
                &["`explode`", "`cancel`"],
            ),
        ],
    );
}

#[test]
fn a_task_that_waits_for_what_cannot_be_is_refused_by_name() {
    let (unknown, own) = (id(0, 1), id(0, 2));
    let twice = json!({"dependencies": [unknown, unknown]});
    let itself = task(json!({"id": own, "dependencies": [own]}));
    check(
        &mut server().serve.client(),
        vec![
            bad(
                json!({"dependencies": ["abc"]}),
                "dependencies[0]",
                &["\"abc\" is not an id", "26 characters"],
            ),
            bad(
                json!({"depends_on": ["load"]}),
                "depends_on",
                &["a workflow"],
            ),
            bad(twice, "dependencies", &["named twice", &unknown]),
            bad(
                json!({"dependencies": [{"task": unknown, "on": "never"}]}),
                "dependencies[0].on",
                &["`never`", "`success`"],
            ),
            refused(
                "POST",
                PATH,
                task(json!({"dependencies": [unknown]})).to_string(),
                (422, "dependency_not_found"),
            )
            .field("dependencies")
            .says(&[&unknown, "does not exist"]),
            refused("POST", PATH, itself.to_string(), (422, "cycle")).says(&[&own, "cycle"]),
        ],
    );
}

#[test]
fn an_identity_that_cannot_be_or_is_taken_is_refused() {
    let mut server = server();
    let mut client = server.serve.client();
    let (taken, elsewhere) = (id(0, 3), id(7, 3));
    client
        .post(PATH, &task(json!({"id": taken})))
        .expect("answers")
        .good();
    client
        .post(PATH, &task(json!({"idempotency_key": "k"})))
        .expect("answers")
        .good();
    let conflict = |fields: Value| {
        refused(
            "POST",
            PATH,
            task(fields).to_string(),
            (409, "idempotency_conflict"),
        )
    };
    check(
        &mut client,
        vec![
            bad(json!({"id": "me"}), "id", &["26 characters"]),
            bad(json!({"id": elsewhere}), "id", &["partition 7"]),
            conflict(json!({"id": taken, "queue": "other"}))
                .field("id")
                .says(&["the id already names", &taken]),
            conflict(json!({"idempotency_key": "k", "priority": 9}))
                .field("idempotency_key")
                .says(&["the idempotency key k already names"]),
        ],
    );
    assert!(!server.serve.process.has_ended());
}

#[test]
fn a_batch_says_of_each_item_what_happened() {
    let server = server();
    let mut client = server.serve.client();
    let batch = json!({"tasks": [
        task(json!({"name": "first"})),
        task(json!({"priority": 12})),
        task(json!({"queue": "two words"})),
        task(json!({"dependencies": [id(0, 9)]})),
        task(json!({"name": "last"})),
    ]});
    let reply = client.post(PATH, &batch).expect("answers").good();
    let codes = reply["results"].as_array().expect("has results").iter();
    let codes = codes.map(|result| result["error"]["code"].as_str().unwrap_or("done"));
    let codes: Vec<_> = codes.collect();
    assert_eq!(
        codes,
        ["done", "invalid", "invalid", "dependency_not_found", "done"],
        "{reply}"
    );
    assert_eq!(reply["results"][1]["error"]["field"], "priority");
    assert_eq!(reply["results"][2]["error"]["field"], "queue");
    let listed = client.get("/v1/tasks").expect("answers").good();
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
}

#[test]
fn a_task_that_no_worker_could_ever_run_is_accepted_with_a_warning() {
    let server = server();
    let needs = task(json!({"resource_requirements": {"gpu": 1_000}}));
    let reply = server
        .serve
        .client()
        .post(PATH, &needs)
        .expect("answers")
        .good();
    let warning = reply["warnings"][0].as_str().unwrap_or_default();
    assert!(
        warning.contains("gpu=1000") && warning.contains("no live worker"),
        "{reply}"
    );
}
