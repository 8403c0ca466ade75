use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn long_polls_are_answered_at_once_when_the_server_stops() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a", "queue": "other"}"#).await;
    let start = Instant::now();
    let poll = r#"{"queues": ["default"], "worker": "w", "wait_ms": 50000}"#;
    let wait = format!("/v1/tasks/{id}/wait");
    let (leased, waited, ()) =
        tokio::join!(site.post("/v1/leases", poll), site.get(&wait), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            site.begin_to_stop();
        });
    assert_eq!(leased.good(), json!({"tasks": []}));
    assert_eq!(waited.good()["status"], "queued");
    let address = site.address;
    site.stop().await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}
