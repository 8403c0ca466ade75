//! Addresses, queries and settings that cannot be.

use russet_core::TaskId;
use serde_json::json;

use super::case::{Case, check, refused};
use super::server;

fn unreadable(path: &str, field: &str, says: &[&str]) -> Case {
    refused("GET", path, "", (422, "invalid"))
        .field(field)
        .says(says)
}

#[test]
fn a_query_that_cannot_be_is_refused_with_what_can() {
    let nothing = TaskId::from_u128(7).to_string();
    check(
        &mut server().serve.client(),
        vec![
            unreadable("/v1/tasks?limit=0", "limit", &["1 to 1000"]),
            unreadable("/v1/tasks?limit=1001", "limit", &["1 to 1000"]),
            unreadable(
                "/v1/tasks?limit=many",
                "limit",
                &["a whole number from 1 to 1000"],
            ),
            unreadable(
                "/v1/tasks?status=lost",
                "status",
                &["\"lost\"", "queued, running"],
            ),
            unreadable("/v1/tasks?order=random", "order", &["oldest or newest"]),
            unreadable("/v1/tasks?queue=two%20words", "queue", &["use 1 to 128"]),
            unreadable("/v1/tasks?after=here", "after", &["26 characters"]),
            unreadable(
                "/v1/tasks?workflow_id=mine",
                "workflow_id",
                &["26 characters"],
            ),
            unreadable(
                "/v1/tasks?colour=red",
                "colour",
                &["unknown field", "`queue`"],
            ),
            unreadable("/v1/tasks/me", "id", &["26 characters"]),
            unreadable("/v1/workflows/me", "id", &["26 characters"]),
            unreadable(
                "/v1/queues/two%20words",
                "name",
                &["name: \"two words\" is not a queue name (use 1 to 128"],
            ),
            unreadable(
                &format!("/v1/tasks/{nothing}/wait?timeout_ms=60001"),
                "timeout_ms",
                &["at most 60000"],
            ),
        ],
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let nothing = TaskId::from_u128(7).to_string();
    let missing = |method, path: String| {
        refused(method, &path, "", (404, "not_found")).says(&[&nothing, "check the id"])
    };
    check(
        &mut server().serve.client(),
        vec![
            missing("GET", format!("/v1/tasks/{nothing}")),
            missing("GET", format!("/v1/tasks/{nothing}/wait?timeout_ms=0")),
            missing("GET", format!("/v1/tasks/{nothing}/explain")),
            missing("POST", format!("/v1/tasks/{nothing}/cancel")),
            missing("POST", format!("/v1/tasks/{nothing}/redrive")),
            missing("POST", format!("/v1/tasks/{nothing}/purge")),
            missing("GET", format!("/v1/workflows/{nothing}")),
            missing("POST", format!("/v1/workflows/{nothing}/redrive")),
            refused("GET", "/v2/tasks", "", (404, "no_route"))
                .says(&["/v2/tasks", "/openapi.json"]),
            refused("DELETE", "/v1/tasks", "", (405, "method_not_allowed")).says(&["DELETE"]),
        ],
    );
}

#[test]
fn a_task_that_is_elsewhere_in_its_life_says_where() {
    let server = server();
    let mut client = server.serve.client();
    let mut submit = || {
        client
            .post("/v1/tasks", &json!({"type": "t"}))
            .expect("answers")
            .good()
    };
    let (live, ended) = (submit()["task"].clone(), submit()["task"].clone());
    let path = |id: &serde_json::Value, verb: &str| {
        format!("/v1/tasks/{}/{verb}", id.as_str().unwrap_or_default())
    };
    client
        .post(&path(&ended, "cancel"), &json!({}))
        .expect("answers")
        .good();
    let wrong =
        |path: &str, says: &[&str]| refused("POST", path, "", (409, "wrong_status")).says(says);
    check(
        &mut client,
        vec![
            wrong(
                &path(&live, "redrive"),
                &["is queued", "only a dead or cancelled"],
            ),
            wrong(&path(&live, "purge"), &["is queued"]),
            wrong(
                &path(&ended, "redrive"),
                &["is cancelled", "somebody cancelled it", "--cancelled"],
            ),
        ],
    );
}

#[test]
fn a_queue_is_not_configured_with_what_cannot_be() {
    let change = |body: serde_json::Value| {
        refused(
            "PATCH",
            "/v1/queues/default",
            body.to_string(),
            (422, "invalid"),
        )
    };
    let ages = 315_360_000_001_u64;
    check(
        &mut server().serve.client(),
        vec![
            change(json!({"concurrency": 0}))
                .field("concurrency")
                .says(&["1 to 1000000", "pause"]),
            change(json!({"concurrency": 1_000_001}))
                .field("concurrency")
                .says(&["1 to 1000000"]),
            change(json!({"concurrency": "few"}))
                .field("concurrency")
                .says(&["\"few\""]),
            change(json!({"aging_ms": ages}))
                .field("aging_ms")
                .says(&["to 315360000000 ms"]),
            change(json!({"keep_dead_ms": ages}))
                .field("keep_dead_ms")
                .says(&["to 315360000000 ms"]),
            change(json!({"keep_finished_ms": -5}))
                .field("keep_finished_ms")
                .says(&["-5"]),
            change(json!({"paus": true}))
                .field("paus")
                .says(&["unknown field", "`paused`"]),
            refused("PATCH", "/v1/queues/two%20words", "{}", (422, "invalid")).field("name"),
        ],
    );
}
