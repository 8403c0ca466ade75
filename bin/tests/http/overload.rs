//! What a partition answers in which too much waits.

use std::sync::Arc;
use std::time::Duration;

use russet_engine::limits::{RETRY_AFTER, WAITING_COMMANDS};
use serde_json::json;
use tokio::task::JoinSet;

use crate::held::What;
use crate::site::{Site, held};

/// Submissions have three quarters of the room; the rest is for what finishes work.
const ROOM: usize = WAITING_COMMANDS / 4 * 3;
/// So many batches of as many tasks fill that.
const BATCHES: usize = 16;

#[tokio::test]
async fn a_full_partition_refuses_submissions_with_when_to_try_again_and_takes_reports() {
    let site = Arc::new(Site::start().await);
    site.submit(r#"{"type": "a"}"#).await;
    let task = site.lease().await;
    site.store.hold(What::Everything);

    let tasks = vec![json!({"type": "a"}); ROOM / BATCHES];
    let batch = json!({"tasks": tasks}).to_string();
    let mut batches = JoinSet::new();
    for _ in 0..=BATCHES {
        let (site, batch) = (site.clone(), batch.clone());
        batches.spawn(async move { site.post("/v1/tasks", &batch).await });
    }
    // All others wait for the store: the first answer is that of the one that found no room.
    let refused = batches.join_next().await.expect("one of them");
    let refused = refused.expect("does not panic").good();
    for result in refused["results"].as_array().expect("a list") {
        assert_eq!(result["error"]["code"], "overloaded", "{result}");
        assert_eq!(result["error"]["status"], 429, "{result}");
    }
    let answer = site.post("/v1/tasks", r#"{"type": "a"}"#).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "1");
    let problem = answer.json();
    assert_eq!(
        (&problem["code"], &problem["retry_after_ms"]),
        (&json!("overloaded"), &json!(RETRY_AFTER.as_millis()))
    );
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains(&format!("{ROOM} commands")), "{detail}");

    let report = format!("{{{}}}", held(&task));
    let reporter = site.clone();
    let path = "/v1/leases/complete";
    let report = tokio::spawn(async move { reporter.post(path, &report).await });
    // Long enough for a refusal.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!report.is_finished(), "it waits for the store");
    site.store.let_go();
    let reported = report.await.expect("does not panic").good();
    assert_eq!(reported["status"], "succeeded");
    while let Some(accepted) = batches.join_next().await {
        let accepted = accepted.expect("does not panic").good();
        let results = accepted["results"].as_array().expect("a list");
        assert!(results.iter().all(|result| result["task"].is_string()));
    }
    site.submit(r#"{"type": "a"}"#).await;
}
