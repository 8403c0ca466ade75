use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn queues_are_listed_and_inspected_with_their_counts() {
    let site = Site::start().await;
    site.submit(r#"{"type": "a", "queue": "mail"}"#).await;
    site.submit(r#"{"type": "a", "queue": "mail", "delay_ms": 60000}"#)
        .await;
    let queues = site.get("/v1/queues").await.good();
    assert_eq!(queues["queues"].as_array().map(Vec::len), Some(1));
    let queue = site.get("/v1/queues/mail").await.good();
    assert_eq!(
        (&queue["counts"]["queued"], &queue["counts"]["scheduled"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(queues["queues"][0]["name"], "mail");
    let empty = site.get("/v1/queues/never-seen").await.good();
    assert_eq!(empty["counts"]["queued"], 0);
}

#[tokio::test]
async fn a_queue_is_configured_field_by_field() {
    let site = Site::start().await;
    let config = site
        .patch("/v1/queues/mail", r#"{"concurrency": 3, "aging_ms": 1000}"#)
        .await
        .good();
    assert_eq!(
        (&config["concurrency"], &config["aging_ms"]),
        (&json!(3), &json!(1000))
    );
    let config = site
        .patch("/v1/queues/mail", r#"{"keep_dead_ms": 5}"#)
        .await
        .good();
    assert_eq!(
        (&config["concurrency"], &config["keep_dead_ms"]),
        (&json!(3), &json!(5))
    );
    let config = site
        .patch("/v1/queues/mail", r#"{"concurrency": null}"#)
        .await
        .good();
    assert!(config["concurrency"].is_null());
}

#[tokio::test]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let site = Site::start().await;
    assert_eq!(
        site.post("/v1/queues/default/pause", "").await.good()["paused"],
        true
    );
    site.submit(r#"{"type": "a"}"#).await;
    let poll = r#"{"queues": ["default"], "worker": "w"}"#;
    assert_eq!(
        site.post("/v1/leases", poll).await.good(),
        json!({"tasks": []})
    );
    assert_eq!(
        site.post("/v1/queues/default/resume", "").await.good()["paused"],
        false
    );
    site.lease().await;
}
