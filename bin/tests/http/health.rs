use serde_json::json;

use crate::site::{Site, held};

#[tokio::test]
async fn a_server_that_can_work_says_so() {
    let site = Site::start().await;
    assert_eq!(site.get("/healthz").await.text(), "ok\n");
    assert_eq!(site.get("/readyz").await.text(), "ready\n");
    assert_eq!(site.get("/v1/ping").await.text(), "{}\n");
    let info = site.get("/v1/info").await.good();
    assert_eq!(
        (&info["version"], &info["partitions"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(1))
    );
}

#[tokio::test]
async fn metrics_tell_what_happened_and_what_waits() {
    let site = Site::start().await;
    site.submit(r#"{"type": "a"}"#).await;
    site.submit(r#"{"type": "a", "queue": "other"}"#).await;
    let task = site.lease().await;
    site.post("/v1/leases/complete", &format!("{{{}}}", held(&task)))
        .await
        .good();
    site.get("/v1/nowhere").await;
    let answer = site.get("/metrics").await;
    let text = answer.text();
    for line in [
        r#"russet_task_events_total{queue="default",event="submitted"} 1"#,
        r#"russet_task_events_total{queue="default",event="succeeded"} 1"#,
        r#"russet_tasks{queue="default",status="succeeded"} 1"#,
        r#"russet_tasks{queue="other",status="queued"} 1"#,
        r#"russet_queue_paused{queue="other"} 0"#,
        "russet_task_schedule_to_start_seconds_count 1",
        "russet_task_run_seconds_count 1",
        "russet_workers 1",
        concat!(
            r#"russet_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
        r#"russet_http_requests_total{method="POST",route="/v1/tasks",status="201"} 2"#,
        r#"russet_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"russet_http_request_duration_seconds_count{method="POST",route="/v1/leases"} 1"#,
        "# TYPE russet_queue_latency_seconds gauge",
    ] {
        assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
