use std::time::{Duration, Instant};

use russet_core::{PartitionId, Record, RecordKey, Status, Task};
use russet_engine::Store;
use russet_engine::limits::RESIGN_PATIENCE;
use serde_json::json;

use crate::held::What;
use crate::site::Site;

/// A request for a task whose lease lasts for an hour.
const LEASE: &str = r#"{"queues": ["default"], "worker": "w", "wait_ms": 50000,
    "visibility_timeout_ms": 3600000}"#;
/// How long it is waited that something does not happen.
const A_WHILE: Duration = Duration::from_millis(200);

/// What the store has of the task.
async fn stored(store: &impl Store, id: &str) -> Task {
    let key = RecordKey::Task(id.parse().expect("an id"));
    let loaded = store.get(PartitionId(0), &[key]).await.expect("is loaded");
    match loaded
        .into_iter()
        .next()
        .flatten()
        .map(|known| known.record)
    {
        Some(Record::Task(task)) => Task::clone(&task),
        other => panic!("no task: {other:?}"),
    }
}

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
    assert_eq!(leased.good()["tasks"], json!([]));
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

#[tokio::test]
async fn a_task_that_is_being_granted_when_the_server_stops_reaches_its_worker() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let store = site.store.clone();
    store.hold(What::Leases);
    let (leased, ()) = tokio::join!(site.post("/v1/leases", LEASE), async {
        store.holds_one().await;
        site.begin_to_stop();
        tokio::time::sleep(A_WHILE).await;
        store.let_go();
    });
    let leased = leased.good();
    assert_eq!(leased["tasks"][0]["id"], id);
    site.stop().await;
    let task = stored(store.as_ref(), &id).await;
    let lease = task.lease.map(|lease| lease.id.to_string());
    assert_eq!(leased["tasks"][0]["lease_id"], json!(lease));
}

/// As when a machine is shut down, with its workers.
#[tokio::test]
async fn a_task_that_is_being_granted_when_its_worker_goes_and_the_server_stops_is_given_back() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let store = site.store.clone();
    store.hold(What::Leases);
    tokio::select! {
        answer = site.post("/v1/leases", LEASE) => panic!("it is held up: {answer:?}"),
        () = store.holds_one() => {}
    }
    let go_on = async {
        // By then a scheduler that is told to stop accepts nothing more.
        tokio::time::sleep(RESIGN_PATIENCE + A_WHILE).await;
        store.let_go();
    };
    tokio::join!(site.stop(), go_on);
    let task = stored(store.as_ref(), &id).await;
    assert_eq!((task.status, task.attempt), (Status::Queued, 1));
}

#[tokio::test]
async fn a_server_that_met_a_bug_stops_and_says_so() {
    let site = Site::start().await;
    site.store.hold(What::Bug);
    let answer = site.post("/v1/tasks", r#"{"type": "a"}"#).await;
    assert!(answer.status >= 500, "{}", answer.status);
    let ended = site.end().await.expect_err("it is not whole");
    assert!(ended.to_string().contains("restart it"), "{ended}");
}
