use crate::site::{Site, held};

/// The codes and the texts of the reasons.
async fn explain(site: &Site, id: &str) -> (Vec<String>, String) {
    let explained = site.get(&format!("/v1/tasks/{id}/explain")).await.good();
    let reasons = explained["reasons"].as_array().expect("reasons");
    let code = |reason: &serde_json::Value| reason["code"].as_str().expect("a code").to_owned();
    (reasons.iter().map(code).collect(), explained.to_string())
}

#[tokio::test]
async fn a_task_that_does_not_run_is_explained() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    assert_eq!(explain(&site, &id).await.0, ["no_worker"]);
    site.post("/v1/queues/default/pause", "").await.good();
    let poll = r#"{"queues": ["default"], "worker": "w", "capacity": {"cpu": 2}}"#;
    site.post("/v1/leases", poll).await.good();
    assert_eq!(explain(&site, &id).await.0, ["queue_paused"]);
    site.post("/v1/queues/default/resume", "").await.good();
    assert_eq!(explain(&site, &id).await.0, ["waiting"]);

    let big = site
        .submit(r#"{"type": "a", "resource_requirements": {"cpu": 9}}"#)
        .await;
    let (codes, text) = explain(&site, &big).await;
    assert_eq!(codes, ["no_resources"]);
    assert!(text.contains("cpu=9"), "{text}");

    let child = site
        .submit(&format!(r#"{{"type": "a", "dependencies": ["{id}"]}}"#))
        .await;
    let (codes, text) = explain(&site, &child).await;
    assert_eq!(codes, ["dependencies"]);
    assert!(
        text.contains(&format!("the task that it depends on: {id} (queued)")),
        "{text}"
    );

    let later = site.submit(r#"{"type": "a", "delay_ms": 3600000}"#).await;
    let (codes, text) = explain(&site, &later).await;
    assert_eq!(codes, ["not_due"]);
    assert!(text.contains("in 59m") || text.contains("in 1h"), "{text}");
}

#[tokio::test]
async fn a_task_that_runs_failed_or_ended_is_explained() {
    let site = Site::parted().await;
    site.patch("/v1/queues/default", r#"{"concurrency": 1}"#)
        .await
        .good();
    let (first, second) = (
        site.submit(r#"{"type": "a", "priority": 9, "partition_key": "k"}"#)
            .await,
        site.submit(r#"{"type": "a", "partition_key": "k"}"#).await,
    );
    let task = site.lease().await;
    assert_eq!(task["id"], first);
    assert_eq!(explain(&site, &first).await.0, ["running"]);
    assert_eq!(explain(&site, &second).await.0, ["concurrency_limit"]);
    let body = format!(
        r#"{{{}, "message": "disk is full", "retry_after_ms": 60000}}"#,
        held(&task)
    );
    site.post("/v1/leases/fail", &body).await.good();
    let (codes, text) = explain(&site, &first).await;
    assert_eq!(codes, ["backoff"]);
    assert!(
        text.contains("retry 1 of 10") && text.contains("disk is full"),
        "{text}"
    );
    site.post(&format!("/v1/tasks/{first}/cancel"), "")
        .await
        .good();
    assert_eq!(explain(&site, &first).await.0, ["cancelled"]);
}

#[tokio::test]
async fn whose_end_ended_a_task_is_explained_with_how_to_go_on() {
    let site = Site::parted().await;
    let body = r#"{"tasks": [
        {"name": "parse", "type": "a", "max_retries": 0},
        {"name": "plot", "type": "a", "depends_on": ["parse"]}]}"#;
    let submitted = site.post("/v1/workflows", body).await.good();
    let workflow = submitted["workflow"].as_str().expect("an id");
    let id = |name: &str| submitted["tasks"][name].as_str().expect("an id").to_owned();
    let body = format!(r#"{{{}, "message": "no"}}"#, held(&site.lease().await));
    site.post("/v1/leases/fail", &body).await.good();
    let task = site.get(&format!("/v1/tasks/{}", id("plot"))).await.good();
    let message = format!("it depends on task {}, which ended dead", id("parse"));
    assert_eq!(task["last_error"]["message"], message);
    let (codes, text) = explain(&site, &id("plot")).await;
    assert_eq!(codes, ["cancelled"]);
    let redrive = format!("`russet workflows redrive {workflow}`");
    for part in [&message, "that is parse, dead now", &redrive] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test]
async fn who_gave_a_task_back_for_a_while_is_explained() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let task = site.lease().await;
    let body = format!(r#"{{{}, "delay_ms": 60000}}"#, held(&task));
    site.post("/v1/leases/release", &body).await.good();
    let (codes, text) = explain(&site, &id).await;
    assert_eq!(codes, ["not_due"]);
    assert!(text.contains("worker w gave it back"), "{text}");
}
