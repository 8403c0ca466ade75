//! Dead tasks that are redriven a page at a time.

use std::collections::BTreeSet;

use serde_json::json;

use crate::site::Site;
use crate::tasks::dead_task;

#[tokio::test]
async fn dead_tasks_are_redriven_a_page_at_a_time_until_no_page_is_left() {
    let site = Site::parted().await;
    let mut dead = BTreeSet::new();
    for _ in 0..5 {
        dead.insert(dead_task(&site).await);
    }
    let other = r#"{"type": "a", "queue": "other"}"#;
    site.submit(other).await;
    let (mut pages, mut next) = (Vec::new(), json!(null));
    loop {
        let mut request = json!({"queue": "default", "limit": 2, "request_id": "mine"});
        if !next.is_null() {
            request["after"] = next;
        }
        let request = request.to_string();
        let page = site.post("/v1/tasks/redrive", &request).await.good();
        assert_eq!(page["refused"], 0, "{page}");
        pages.push(page["redriven"].as_u64().expect("a number"));
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
        assert!(dead.contains(next.as_str().expect("an id")), "{next}");
    }
    assert_eq!(pages, [2, 2, 1]);
    let queued = site.get("/v1/tasks?queue=default&status=queued").await;
    let queued = queued.good();
    let queued = queued["items"].as_array().expect("a list").iter();
    let queued: BTreeSet<_> = queued
        .map(|task| task["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(queued, dead);
    // The same request, sent again, finds none that it has not redriven.
    let again = r#"{"queue": "default", "limit": 2, "request_id": "mine"}"#;
    let again = site.post("/v1/tasks/redrive", again).await.good();
    assert_eq!(
        (&again["redriven"], &again["next"]),
        (&json!(0), &json!(null))
    );
}
