//! What workers cannot ask for, and what they cannot report.

use russet_core::{LeaseId, TaskId};
use serde_json::{Value, json};

use super::case::{check, invalid, refused};
use super::server;

const LEASES: &str = "/v1/leases";
const KINDS: [&str; 4] = ["extend", "complete", "fail", "release"];

fn lease(field: &str, value: Value) -> Value {
    let mut request = json!({"queues": ["default"], "worker": "w", "wait_ms": 0});
    request[field] = value;
    request
}

#[test]
fn a_worker_that_asks_for_what_cannot_be_is_told_and_takes_nothing() {
    let server = server();
    let mut client = server.serve.client();
    let id = client
        .post("/v1/tasks", &json!({"type": "t"}))
        .expect("answers")
        .good();
    let table = |_| {
        vec![
            invalid(
                LEASES,
                lease("queues", json!([])),
                "queues",
                &["is empty", "1 or more"],
            ),
            invalid(
                LEASES,
                lease("queues", json!(["two words"])),
                "queues",
                &["use 1 to 128"],
            ),
            invalid(
                LEASES,
                lease("worker", json!("")),
                "worker",
                &["1 to 128 bytes"],
            ),
            invalid(
                LEASES,
                lease("worker", json!("w".repeat(129))),
                "worker",
                &["1 to 128 bytes"],
            ),
            invalid(LEASES, lease("max", json!(0)), "max", &["1 to 1000"]),
            invalid(LEASES, lease("max", json!(1_001)), "max", &["1 to 1000"]),
            invalid(
                LEASES,
                lease("wait_ms", json!(60_001)),
                "wait_ms",
                &["at most 60000"],
            ),
            invalid(LEASES, lease("wait_ms", json!(-1)), "wait_ms", &["-1"]),
            invalid(
                LEASES,
                lease("capacity", json!({"g p u": 1})),
                "capacity",
                &["use 1 to 128"],
            ),
            invalid(
                LEASES,
                lease("visibility_timeout_ms", json!(0)),
                "visibility_timeout_ms",
                &["100 ms to 43200000 ms"],
            ),
            invalid(
                LEASES,
                lease("waits_ms", json!(0)),
                "waits_ms",
                &["unknown field", "`wait_ms`"],
            ),
        ]
    };
    // With a task that is ready, and without one.
    check(&mut client, table(()));
    let good = client
        .post(LEASES, &lease("max", json!(10)))
        .expect("answers")
        .good();
    assert_eq!(
        good["tasks"][0]["id"], id["task"],
        "a refused request kept the task: {good}"
    );
    assert_eq!(
        good["tasks"][0]["attempt"], 1,
        "a refused request took the task: {good}"
    );
    check(&mut client, table(()));
}

#[test]
fn a_report_that_cannot_be_is_refused_and_the_lease_stays() {
    let server = server();
    let mut client = server.serve.client();
    client
        .post("/v1/tasks", &json!({"type": "t"}))
        .expect("answers")
        .good();
    let leased = client
        .post(LEASES, &lease("max", json!(1)))
        .expect("answers")
        .good();
    let held = &leased["tasks"][0];
    let report = |more: Value| {
        let mut body = json!({"task": held["id"], "lease_id": held["lease_id"]});
        body.as_object_mut()
            .expect("is an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    let (extend, complete) = ("/v1/leases/extend", "/v1/leases/complete");
    let (fail, release) = ("/v1/leases/fail", "/v1/leases/release");
    let large = json!("x".repeat(1024 * 1024));
    let follow_ups = vec![json!({"type": "t"}); 101];
    check(
        &mut client,
        vec![
            invalid(
                extend,
                report(json!({"visibility_timeout_ms": 99})),
                "visibility_timeout_ms",
                &["100 ms to 43200000 ms"],
            ),
            invalid(
                extend,
                report(json!({"progress": {"percent": 101}})),
                "progress.percent",
                &["at most 100"],
            ),
            invalid(
                extend,
                report(json!({"progress": {"message": "x".repeat(1_025)}})),
                "progress.message",
                &["at most 1024"],
            ),
            invalid(
                extend,
                report(json!({"progress": {"checkpoint": large}})),
                "progress.checkpoint",
                &["at most 1048576 bytes"],
            ),
            invalid(
                complete,
                report(json!({"result": large})),
                "result",
                &["at most 1048576 bytes"],
            ),
            invalid(
                complete,
                report(json!({"outcome": 1})),
                "outcome",
                &["unknown field", "`result`"],
            ),
            refused(
                "POST",
                complete,
                report(json!({"follow_ups": follow_ups})).to_string(),
                (422, "limit_exceeded"),
            )
            .says(&["101 follow-up tasks", "100"]),
            invalid(
                complete,
                report(json!({"follow_ups": [{"type": "t", "priority": 10}]})),
                "follow_ups[0].priority",
                &["at most 9"],
            ),
            invalid(
                fail,
                report(json!({"message": "m", "kind": "lease_expired"})),
                "kind",
                &["not for workers", "failed, final"],
            ),
            invalid(
                fail,
                report(json!({"message": "m", "progress": {"percent": 101}})),
                "progress.percent",
                &["at most 100"],
            ),
            invalid(
                complete,
                report(json!({"progress": {"checkpoint": large}})),
                "progress.checkpoint",
                &["at most 1048576 bytes"],
            ),
            invalid(
                fail,
                report(json!({"message": "m", "kind": "sad"})),
                "kind",
                &["`sad`", "failed, final, panicked or timed_out"],
            ),
            invalid(
                fail,
                report(json!({"message": "m", "retry_after_ms": u64::MAX})),
                "retry_after_ms",
                &["to 315360000000 ms"],
            ),
            refused(
                "POST",
                fail,
                report(json!({})).to_string(),
                (422, "invalid"),
            )
            .says(&["message: is missing"]),
            invalid(
                release,
                report(json!({"delay_ms": u64::MAX})),
                "delay_ms",
                &["to 315360000000 ms"],
            ),
        ],
    );
    client
        .post(complete, &report(json!({"result": "well"})))
        .expect("answers")
        .good();
}

#[test]
fn stale_refused_a_lease_of_nobody_is_refused_in_every_report() {
    let server = server();
    let mut client = server.serve.client();
    let known = client
        .post("/v1/tasks", &json!({"type": "t"}))
        .expect("answers")
        .good();
    let known = known["task"].as_str().expect("has an id").to_owned();
    let (nobody, nothing) = (
        LeaseId::from_u128(7).to_string(),
        TaskId::from_u128(7).to_string(),
    );
    for kind in KINDS {
        let path = format!("{LEASES}/{kind}");
        let report = |task: &str, lease: &str| {
            let mut body = json!({"task": task, "lease_id": lease});
            if kind == "fail" {
                body["message"] = json!("m");
            }
            body
        };
        let many = json!({"items": vec![report(&known, &nobody); 1_001]});
        check(
            &mut client,
            vec![
                refused(
                    "POST",
                    &path,
                    report(&known, &nobody).to_string(),
                    (409, "stale_lease"),
                )
                .says(&[&known, "queued", "stop working on it"]),
                refused(
                    "POST",
                    &path,
                    report(&nothing, &nobody).to_string(),
                    (404, "not_found"),
                )
                .says(&[&nothing, "check the id"]),
                invalid(&path, report("me", &nobody), "task", &["26 characters"]),
                invalid(
                    &path,
                    report(&known, "mine"),
                    "lease_id",
                    &["26 characters"],
                ),
                invalid(&path, json!({"items": []}), "items", &["1 to 1000 items"]),
                invalid(&path, many, "items", &["has 1001 items", "1 to 1000 items"]),
            ],
        );
        let batch = json!({"items": [report(&known, &nobody), report(&nothing, &nobody)]});
        let reply = client.post(&path, &batch).expect("answers").good();
        let code = |at: usize| reply["results"][at]["error"]["code"].clone();
        assert_eq!(
            [code(0), code(1)],
            [json!("stale_lease"), json!("not_found")],
            "{reply}"
        );
    }
}
