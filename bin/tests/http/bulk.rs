//! Tasks that are cancelled or purged by a filter, a page at a time.

use serde_json::{Value, json};

use crate::site::{Site, held};

/// Sends a request again behind each page until none is left; returns the pages.
async fn pages(site: &Site, path: &str, request: Value) -> Vec<Value> {
    let (mut pages, mut next) = (Vec::new(), Value::Null);
    loop {
        let mut request = request.clone();
        if !next.is_null() {
            request["after"] = next;
        }
        let page = site.post(path, &request.to_string()).await.good();
        next = page["next"].clone();
        pages.push(page);
        if next.is_null() {
            return pages;
        }
    }
}

fn sum(pages: &[Value], count: &str) -> u64 {
    let counts = pages.iter().map(|page| page[count].as_u64());
    counts.map(|count| count.expect("a number")).sum()
}

async fn counts(site: &Site, queue: &str) -> Value {
    let queue = site.get(&format!("/v1/queues/{queue}")).await.good();
    queue["counts"].clone()
}

#[tokio::test]
async fn live_tasks_of_a_queue_are_cancelled_a_page_at_a_time() {
    let site = Site::parted().await;
    for _ in 0..4 {
        site.submit(r#"{"type": "a"}"#).await;
    }
    site.submit(r#"{"type": "a", "delay_ms": 60000}"#).await;
    site.submit(r#"{"type": "a", "queue": "other"}"#).await;
    let running = site.lease().await;
    let ended = site.lease().await;
    let end = format!("{{{}}}", held(&ended));
    site.post("/v1/leases/complete", &end).await.good();
    let request = json!({"queue": "default", "limit": 2, "reason": "not wanted"});
    let pages = pages(&site, "/v1/tasks/cancel", request).await;
    assert_eq!(pages.len(), 3, "5 tasks, 2 a page: {pages:?}");
    assert_eq!(
        (
            sum(&pages, "cancelled"),
            sum(&pages, "asked"),
            sum(&pages, "refused")
        ),
        (3, 1, 0)
    );
    let now = counts(&site, "default").await;
    assert_eq!(
        (&now["cancelled"], &now["running"], &now["succeeded"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(counts(&site, "other").await["queued"], 1);
    let id = running["id"].as_str().expect("an id");
    let asked = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(
        (&asked["cancel_requested"], &asked["last_error"]["message"]),
        (&json!(true), &json!("not wanted"))
    );
}

#[tokio::test]
async fn a_state_says_which_tasks_are_cancelled_or_purged() {
    let site = Site::start().await;
    for body in [
        r#"{"type": "a"}"#,
        r#"{"type": "a", "delay_ms": 60000}"#,
        r#"{"type": "a", "queue": "other", "delay_ms": 60000}"#,
    ] {
        site.submit(body).await;
    }
    let scheduled = r#"{"all": true, "status": "scheduled"}"#;
    let done = site.post("/v1/tasks/cancel", scheduled).await.good();
    assert_eq!(
        (&done["cancelled"], &done["refusals"]),
        (&json!(2), &json!([]))
    );
    assert_eq!(counts(&site, "default").await["queued"], 1);
    for (status, purged) in [("succeeded", 0), ("cancelled", 1)] {
        let request = json!({"queue": "other", "status": status}).to_string();
        let done = site.post("/v1/tasks/purge", &request).await.good();
        assert_eq!(done["purged"], purged, "{status}");
    }
    assert_eq!(counts(&site, "other").await["cancelled"], 0);
    let all = site
        .post("/v1/tasks/purge", r#"{"all": true}"#)
        .await
        .good();
    assert_eq!((&all["purged"], &all["refused"]), (&json!(1), &json!(0)));
    assert_eq!(
        counts(&site, "default").await["queued"],
        1,
        "live ones stay"
    );
}

#[tokio::test]
async fn a_cancel_of_many_starts_no_handler_of_their_failure() {
    let site = Site::start().await;
    let parent = site.submit(r#"{"type": "a"}"#).await;
    let handler = json!({"type": "b", "dependencies": [{"task": parent, "on": "failure"}]});
    let handler = site.submit(&handler.to_string()).await;
    let request = json!({"queue": "default", "limit": 1});
    let pages = pages(&site, "/v1/tasks/cancel", request).await;
    assert_eq!((pages.len(), sum(&pages, "cancelled")), (2, 2));
    let handler = site.get(&format!("/v1/tasks/{handler}")).await.good();
    assert_eq!(handler["status"], "cancelled");
}

#[tokio::test]
async fn what_cannot_be_redriven_of_many_is_named_with_its_reason() {
    let site = Site::start().await;
    let body = r#"{"type": "a", "name": "sync", "idempotency_key": "k", "idempotency_window_ms": "while_live"}"#;
    for _ in 0..2 {
        site.submit(body).await;
        let fail = format!(
            r#"{{{}, "message": "no", "kind": "final"}}"#,
            held(&site.lease().await)
        );
        site.post("/v1/leases/fail", &fail).await.good();
    }
    // Both have the same key, which can name only one of them.
    let done = site
        .post("/v1/tasks/redrive", r#"{"all": true}"#)
        .await
        .good();
    assert_eq!(
        (&done["redriven"], &done["refused"]),
        (&json!(1), &json!(1))
    );
    let refusal = &done["refusals"][0];
    assert_eq!(
        (&refusal["name"], &refusal["code"]),
        (&json!("sync"), &json!("idempotency_conflict"))
    );
    assert!(
        refusal["task"].is_string() && refusal["detail"].is_string(),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_request_that_does_not_say_which_tasks_or_says_the_wrong_ones_changes_nothing() {
    let site = Site::start().await;
    site.submit(r#"{"type": "a"}"#).await;
    for (path, body, field) in [
        ("/v1/tasks/cancel", "", "all"),
        ("/v1/tasks/cancel", r#"{"status": "queued"}"#, "all"),
        (
            "/v1/tasks/cancel",
            r#"{"all": true, "status": "dead"}"#,
            "status",
        ),
        (
            "/v1/tasks/cancel",
            r#"{"all": true, "status": "asleep"}"#,
            "status",
        ),
        ("/v1/tasks/cancel", r#"{"queue": "a b"}"#, "queue"),
        ("/v1/tasks/cancel", r#"{"all": true, "limit": 0}"#, "limit"),
        ("/v1/tasks/purge", "{}", "all"),
        (
            "/v1/tasks/purge",
            r#"{"all": true, "status": "running"}"#,
            "status",
        ),
        ("/v1/tasks/purge", r#"{"all": true, "after": "x"}"#, "after"),
    ] {
        let refused = site.post(path, body).await;
        assert_eq!(refused.status, 422, "{path} {body}: {refused:?}");
        let problem = refused.json();
        assert_eq!(problem["field"], field, "{path} {body}");
        assert!(problem["limit"].is_string(), "{path} {body}");
    }
    let dead = r#"{"all": true, "status": "dead"}"#;
    let refused = site.post("/v1/tasks/cancel", dead).await.json();
    assert_eq!(refused["limit"], "blocked, scheduled, queued, running");
    assert_eq!(counts(&site, "default").await["queued"], 1);
}
