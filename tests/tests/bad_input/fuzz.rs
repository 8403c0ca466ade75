//! Whatever is posted, the server answers, refuses what it cannot take, and lives on.

use proptest::prelude::*;
use russet_tests::Http;
use serde_json::{Value, json};

use super::server;

/// Where requests are posted, each with one that is fine.
fn endpoints(client: &mut Http) -> Vec<(String, Value)> {
    let document = client.get("/openapi.json").expect("answers").good();
    let paths = document["paths"].as_object().expect("has paths").clone();
    let posted = paths
        .into_iter()
        .filter(|(_, item)| !item["post"].is_null());
    let posted: Vec<_> = posted
        .map(|(path, _)| (path.clone(), fine(&path)))
        .collect();
    assert!(posted.len() >= 10, "only {posted:?}");
    posted
}

fn fine(path: &str) -> Value {
    let report = json!({"task": "0".repeat(26), "lease_id": "0".repeat(26)});
    let task = json!({
        "type": "t", "name": "n", "queue": "q", "payload": {"a": [1, 2.5, null]}, "priority": 5,
        "max_retries": 3, "retry": {"backoff_ms": 1, "backoff_cap_ms": 9, "jitter_percent": 5},
        "delay_ms": 5, "expires_in_ms": 1_000, "visibility_timeout_ms": 1_000, "timeout_ms": 9,
        "retention_ms": 9, "dependencies": [], "if_unsatisfied": "run",
        "resource_requirements": {"cpu": 1}, "idempotency_key": "k", "idempotency_window_ms": 5,
        "partition_key": "p", "metadata": {"m": 1}, "expected_ms": 5,
    });
    let report_with = |field: &str, value: Value| {
        let mut report = report.clone();
        report[field] = value;
        report
    };
    match path {
        "/v1/tasks" => json!({"tasks": [task]}),
        "/v1/workflows" => json!({
            "name": "w", "idempotency_key": "w", "defaults": {"priority": 3, "queue": "q"},
            "tasks": [{"type": "t", "name": "a"}, {"type": "t", "name": "b", "depends_on": ["a"]}],
        }),
        "/v1/leases" => json!({"queues": ["q"], "worker": "w", "capacity": {"cpu": 1}, "max": 5}),
        "/v1/leases/extend" => report_with("progress", json!({"percent": 5, "checkpoint": 1})),
        "/v1/leases/complete" => report_with("follow_ups", json!([{"type": "t"}])),
        "/v1/leases/fail" => report_with("message", json!("m")),
        "/v1/leases/release" => report_with("delay_ms", json!(5)),
        _ => json!({"reason": "r", "queue": "q", "limit": 5}),
    }
}

/// Any JSON, and numbers and texts that are often mistaken for others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        prop::sample::select(vec![0_u64, 1, 255, 256, 1 << 32, 1 << 53, u64::MAX])
            .prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[0-9a-hjkmnp-tv-z]{26}".prop_map(Value::from),
        prop::sample::select(vec!["", "\u{0}", "-1", "2026-01-31T08:00:00Z", "a", "q"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,12}", inner, 0..4).prop_map(|entries| entries
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

/// How a request that is fine is spoilt.
#[derive(Clone, Debug)]
enum Spoilt {
    /// Something else altogether.
    Whole(Value),
    /// Values in it replaced, each found by counting.
    Inside(Vec<(usize, Value)>),
    /// Its text cut, and these bytes put behind.
    Text(usize, Vec<u8>),
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    let inside = prop::collection::vec((0..60_usize, any_json()), 0..4);
    prop_oneof![
        1 => any_json().prop_map(Spoilt::Whole),
        6 => inside.prop_map(Spoilt::Inside),
        1 => (0..400_usize, prop::collection::vec(any::<u8>(), 0..8)).prop_map(|(at, more)| Spoilt::Text(at, more)),
    ]
}

impl Spoilt {
    fn apply(self, fine: &Value) -> Vec<u8> {
        let mut body = match self {
            Self::Whole(value) => value,
            Self::Inside(changes) => {
                let mut body = fine.clone();
                for (mut place, value) in changes {
                    replace(&mut body, &mut place, &value);
                }
                body
            }
            Self::Text(end, more) => {
                let mut text = fine.to_string().into_bytes();
                text.truncate(end);
                text.extend(more);
                return text;
            }
        };
        // Waiting long for a task is fine, and nothing to wait for here.
        if body["wait_ms"].as_u64().is_some_and(|ms| ms <= 60_000) {
            body["wait_ms"] = json!(1);
        }
        body.to_string().into_bytes()
    }
}

/// Replaces the value at `place`, counting down.
fn replace(body: &mut Value, place: &mut usize, with: &Value) {
    if *place == 0 {
        *body = with.clone();
    }
    *place = place.wrapping_sub(1);
    match body {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, place, with)),
        Value::Object(entries) => entries
            .values_mut()
            .for_each(|item| replace(item, place, with)),
        _ => {}
    }
}

#[test]
fn whatever_is_posted_the_server_answers_and_lives_on() {
    let mut server = server();
    let mut client = server.serve.client();
    let endpoints = endpoints(&mut client);
    let client = std::cell::RefCell::new(client);
    let config = ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_500),
        ..ProptestConfig::default()
    };
    proptest!(config, |(at in 0..endpoints.len(), id in "[0-9a-hjkmnp-tv-z]{26}|[^/?# ]{1,8}", spoilt in spoilt())| {
        let (path, fine) = &endpoints[at];
        let id: String = id.bytes().map(|b| format!("%{b:02X}")).collect();
        let path = path.replace("{id}", &id).replace("{name}", &id);
        let reply = client.borrow_mut().send("POST", &path, &spoilt.apply(fine));
        let reply = reply.expect("the server answers");
        prop_assert!(reply.status < 500, "{}: {}", reply.status, reply.text());
        if reply.status >= 400 {
            let problem = reply.json();
            prop_assert_eq!(&reply.media_type, "application/problem+json");
            prop_assert_eq!(&problem["status"], &json!(reply.status));
            prop_assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        }
    });
    let alive = client
        .borrow_mut()
        .get("/readyz")
        .expect("the server answers");
    assert_eq!(alive.status, 200);
    assert!(!server.serve.process.has_ended());
    let said = server.serve.process.said();
    assert!(!said.contains("panicked"), "{said}");
}
