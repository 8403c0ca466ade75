use std::time::{Duration, Instant};

use russet_core::TaskId;
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
    let leased = site.post("/v1/leases", poll).await.good();
    assert_eq!(leased["tasks"], json!([]));
    assert_eq!(
        site.post("/v1/queues/default/resume", "").await.good()["paused"],
        false
    );
    site.lease().await;
}

#[tokio::test]
async fn a_worker_that_waits_on_a_paused_queue_gets_its_task_at_once_when_it_is_resumed() {
    let site = Site::start().await;
    site.post("/v1/queues/default/pause", "").await.good();
    let id = site.submit(r#"{"type": "a"}"#).await;
    let begun = Instant::now();
    let resume = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        site.post("/v1/queues/default/resume", "").await.good();
    };
    let poll = r#"{"queues": ["default"], "worker": "w", "wait_ms": 60000}"#;
    let (leased, ()) = tokio::join!(site.post("/v1/leases", poll), resume);
    assert_eq!(leased.good()["tasks"][0]["id"], id);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn bounded_a_queue_names_some_of_its_lanes_and_counts_the_others() {
    let site = Site::start().await;
    let tasks: Vec<_> = (1..=250)
        .map(|cpu| json!({"type": "a", "resource_requirements": {"cpu": cpu}}))
        .collect();
    let body = json!({"tasks": tasks}).to_string();
    site.post("/v1/tasks", &body).await.good();
    let queue = site.get("/v1/queues/default").await.good();
    assert_eq!(queue["lanes"].as_array().map(Vec::len), Some(100));
    assert_eq!(queue["more_lanes"], 150);
}

#[tokio::test]
async fn a_queue_says_how_many_workers_it_wants_once_a_worker_showed_what_it_runs() {
    let site = Site::start().await;
    for _ in 0..5 {
        site.submit(r#"{"type": "a"}"#).await;
    }
    let wanted = async || site.get("/v1/queues/default").await.good()["desired_workers"].clone();
    assert_eq!(wanted().await, json!(null));
    let poll = r#"{"queues": ["default"], "worker": "w", "max": 2}"#;
    site.post("/v1/leases", poll).await.good();
    assert_eq!(wanted().await, 3);
    let metrics = site.get("/metrics").await;
    let line = r#"russet_queue_desired_workers{queue="default"} 3"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
    site.post("/v1/queues/default/pause", "").await.good();
    assert_eq!(wanted().await, 1);
}

#[tokio::test]
async fn a_concurrency_limit_is_explained_where_it_is_reached() {
    let site = Site::parted().await;
    site.patch("/v1/queues/default", r#"{"concurrency": 1}"#)
        .await
        .good();
    let [mut of_first, mut of_second] = [(); 2].map(|()| Vec::new());
    for key in 0..20 {
        let id = site
            .submit(&format!(r#"{{"type": "a", "partition_key": "{key}"}}"#))
            .await;
        match id.parse::<TaskId>().expect("an id").partition().0 {
            0 => of_first.push(id),
            _ => of_second.push(id),
        }
    }
    let running = site.lease().await["id"].as_str().expect("an id").to_owned();
    let (full, free) = match of_first.contains(&running) {
        true => (of_first, of_second),
        false => (of_second, of_first),
    };
    let code = async |ids: &[String]| {
        let waiting = ids.iter().find(|id| **id != running).expect("another");
        let path = format!("/v1/tasks/{waiting}/explain");
        site.get(&path).await.good()["reasons"][0]["code"].clone()
    };
    assert_eq!(code(&full).await, "concurrency_limit");
    assert_eq!(code(&free).await, "waiting");
}

#[tokio::test]
async fn a_queue_without_aging_goes_by_time_alone() {
    let site = Site::start().await;
    let first_in_first_out = r#"{"aging_ms": 0}"#;
    let config = site.patch("/v1/queues/default", first_in_first_out).await;
    assert_eq!(config.good()["aging_ms"], 0);
    let mut submitted = Vec::new();
    for priority in [0, 9, 4] {
        let task = json!({"type": "a", "priority": priority});
        submitted.push(site.submit(&task.to_string()).await);
        // Tasks of one millisecond are ready at once.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for id in submitted {
        assert_eq!(site.lease().await["id"], id);
    }
}

#[tokio::test]
async fn a_resume_of_a_queue_that_nobody_uses_makes_none_and_a_pause_does() {
    let site = Site::parted().await;
    let resumed = site.post("/v1/queues/typo/resume", "").await.good();
    assert_eq!(resumed["paused"], false);
    assert_eq!(site.get("/v1/queues").await.good(), json!({"queues": []}));
    site.post("/v1/queues/later/pause", "").await.good();
    site.post("/v1/queues/later/resume", "").await.good();
    let queues = site.get("/v1/queues").await.good();
    assert_eq!(queues["queues"][0]["name"], "later");
}
