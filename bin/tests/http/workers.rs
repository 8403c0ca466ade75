//! Workers that sign off.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::site::Site;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many workers the node knows of.
async fn workers(site: &Site) -> u64 {
    let metrics = site.get("/metrics").await;
    let mut lines = metrics.text().lines();
    let live = lines.find_map(|line| line.strip_prefix("russet_workers "));
    live.and_then(|live| live.parse().ok()).expect("a number")
}

async fn sign_off(site: &Site, worker: &str) -> bool {
    let path = format!("/v1/workers/{worker}");
    let reply = site.send("DELETE", &path, None).await.good();
    reply["known"].as_bool().expect("a word")
}

#[tokio::test]
async fn a_worker_that_signs_off_is_forgotten_at_once() {
    let site = Site::start().await;
    site.post("/v1/queues/q/pause", "").await.good();
    let id = site.submit(r#"{"type": "a", "queue": "q"}"#).await;
    let poll = r#"{"queues": ["q"], "worker": "host/one two"}"#;
    site.post("/v1/leases", poll).await.good();
    let other = r#"{"queues": ["other"], "worker": "other"}"#;
    site.post("/v1/leases", other).await.good();
    site.post("/v1/queues/q/resume", "").await.good();
    assert_eq!(workers(&site).await, 2);
    assert!(sign_off(&site, "host%2Fone%20two").await);
    assert_eq!(workers(&site).await, 1);
    let explained = site.get(&format!("/v1/tasks/{id}/explain")).await.good();
    assert_eq!(explained["reasons"][0]["code"], "no_worker");
    assert!(
        !sign_off(&site, "host%2Fone%20two").await,
        "it signs off again"
    );
    site.post("/v1/leases", poll).await.good();
    assert_eq!(workers(&site).await, 2, "it is back");
}

#[tokio::test]
async fn a_worker_that_nobody_knows_may_sign_off_and_a_name_that_cannot_be_is_refused() {
    let site = Site::start().await;
    assert!(!sign_off(&site, "nobody").await);
    let path = format!("/v1/workers/{}", "w".repeat(1_000));
    let refused = site.send("DELETE", &path, None).await;
    assert_eq!(
        (refused.status, &refused.json()["field"]),
        (422, &json!("worker"))
    );
}

#[tokio::test]
async fn a_poll_that_is_still_open_ends_and_does_not_bring_back_who_has_signed_off() {
    let site = Arc::new(Site::start().await);
    let polling = tokio::spawn({
        let site = site.clone();
        async move {
            let poll = r#"{"queues": ["q"], "worker": "w", "wait_ms": 60000}"#;
            site.post("/v1/leases", poll).await.good()
        }
    });
    let known = async {
        while workers(&site).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, known).await.expect("it asks");
    assert!(sign_off(&site, "w").await);
    let leased = timeout(PATIENCE, polling).await.expect("it ends");
    assert_eq!(leased.expect("is answered")["tasks"], json!([]));
    assert_eq!(workers(&site).await, 0);
}
