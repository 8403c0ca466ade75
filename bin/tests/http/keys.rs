//! The header `Idempotency-Key`.

use axum::body::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;

use crate::site::{Answer, Site};

async fn post(site: &Site, path: &str, keys: &[&str], body: &str) -> Answer {
    let mut request = Request::builder().method("POST").uri(path);
    for key in keys {
        request = request.header("Idempotency-Key", *key);
    }
    let body = Full::new(Bytes::from(body.to_owned()));
    site.raw(request.body(body).expect("a request")).await
}

#[tokio::test]
async fn a_key_in_the_header_names_the_task_as_one_in_the_body_does() {
    let site = Site::parted().await;
    let task = r#"{"type": "a"}"#;
    let first = post(&site, "/v1/tasks", &["k-1"], task).await;
    assert_eq!(first.status, 201);
    let first = first.json();
    let with_body = r#"{"type": "a", "idempotency_key": "k-1"}"#;
    for (keys, body) in [
        (&["k-1"][..], task),
        (&["\"k-1\""], task),
        (&["k-1"], with_body),
        (&[], with_body),
    ] {
        let again = post(&site, "/v1/tasks", keys, body).await.good();
        assert_eq!(
            (&again["task"], &again["existing"]),
            (&first["task"], &json!(true)),
            "{keys:?} {body}"
        );
    }
    let workflow = r#"{"tasks": [{"name": "t", "type": "a"}]}"#;
    let one = post(&site, "/v1/workflows", &["w-1"], workflow)
        .await
        .good();
    let two = post(&site, "/v1/workflows", &["w-1"], workflow)
        .await
        .good();
    assert_eq!(
        (&two["workflow"], &two["existing"]),
        (&one["workflow"], &json!(true))
    );
}

#[tokio::test]
async fn a_key_in_the_header_that_cannot_be_meant_is_refused_by_name() {
    let site = Site::start().await;
    let other = r#"{"type": "a", "idempotency_key": "mine"}"#;
    for (keys, body, says) in [
        (
            &["yours"][..],
            other,
            "\"yours\", and idempotency_key in the body \"mine\"",
        ),
        (&["a", "b"], r#"{"type": "a"}"#, "more than once"),
        (&["a"], r#"{"tasks": [{"type": "a"}]}"#, "this is a batch"),
    ] {
        let refused = post(&site, "/v1/tasks", keys, body).await;
        let problem = refused.json();
        assert_eq!(
            (refused.status, &problem["field"]),
            (422, &json!("Idempotency-Key"))
        );
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains(says), "{detail}");
    }
    let tasks = site.get("/v1/tasks").await.good();
    assert_eq!(tasks["items"], json!([]));
}
