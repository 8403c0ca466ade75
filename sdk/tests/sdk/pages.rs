//! What takes more than one request.

use russet::Client;
use russet::core::{ErrorKind, Status};
use russet::limits::{LEASE_TASKS, PAGE_TASKS_MAX};
use russet::wire::{FailLease, LeaseRequest, TaskView};

use crate::server::Server;
use crate::world::work;

/// More than one request redrives.
const TASKS: usize = PAGE_TASKS_MAX + 100;

fn failed(task: &TaskView) -> FailLease {
    FailLease {
        task: task.id,
        lease_id: task.lease_id.expect("is leased"),
        message: "no way".to_owned(),
        kind: Some(ErrorKind::Final),
        retry_after_ms: None,
        progress: None,
    }
}

/// Lets so many tasks of the queue end dead.
async fn kill(client: &Client, queue: &str, tasks: usize) {
    let mut dead = 0;
    while dead < tasks {
        let request = LeaseRequest {
            queues: vec![queue.to_owned()],
            worker: "w".to_owned(),
            capacity: None,
            max: Some(LEASE_TASKS),
            visibility_timeout_ms: None,
            wait_ms: Some(10_000),
        };
        let leased = client.lease(request).await.expect("leases");
        for now in client.fail(leased.iter().map(failed).collect()).await {
            assert_eq!(now.expect("is reported").status, Status::Dead);
            dead += 1;
        }
    }
}

#[tokio::test]
async fn all_dead_tasks_of_a_queue_are_redriven_page_by_page_over_http() {
    let server = Server::new();
    let site = server.open(None).await;
    let client = Client::http(&site.url()).expect("is an address");
    let mut tasks = vec![work().in_queue("many"); TASKS];
    tasks.push(work().in_queue("other"));
    for submitted in client.submit_many(tasks).await {
        submitted.expect("is accepted");
    }
    kill(&client, "many", TASKS).await;
    kill(&client, "other", 1).await;
    let before = server.requests.get();
    let redriven = client.redrive_all(Some("many")).await.expect("redrives");
    assert_eq!(
        (redriven.redriven, redriven.refused, redriven.next),
        (TASKS as u64, 0, None)
    );
    assert_eq!(server.requests.get() - before, 2, "a request a page");
    let other = client.queue("other").await.expect("is there");
    assert_eq!(other.counts.dead, 1);
    let rest = client.redrive_all(None).await.expect("redrives");
    assert_eq!((rest.redriven, rest.refused), (1, 0));
}

#[tokio::test]
async fn all_live_tasks_of_a_queue_are_cancelled_and_purged_page_by_page_over_http() {
    let server = Server::new();
    let site = server.open(None).await;
    let client = Client::http(&site.url()).expect("is an address");
    let mut tasks = vec![work().in_queue("many"); TASKS];
    tasks.push(work().in_queue("other"));
    for submitted in client.submit_many(tasks).await {
        submitted.expect("is accepted");
    }
    let before = server.requests.get();
    let queued = Some(Status::Queued);
    let done = client
        .cancel_all(Some("many"), queued, Some("enough"))
        .await;
    let done = done.expect("cancels");
    assert_eq!(
        (done.cancelled, done.asked, done.refused, done.next),
        (TASKS as u64, 0, 0, None)
    );
    assert_eq!(server.requests.get() - before, 2, "a request a page");
    let dead = client.purge_all(None, Some(Status::Dead)).await;
    assert_eq!(dead.expect("purges").purged, 0);
    let done = client.purge_all(Some("many"), None).await.expect("purges");
    assert_eq!(
        (done.purged, done.refused, done.next),
        (TASKS as u64, 0, None)
    );
    let other = client.queue("other").await.expect("is there");
    assert_eq!(other.counts.queued, 1);
}

#[tokio::test]
async fn a_cancel_of_all_whose_answer_was_lost_is_sent_again() {
    let server = Server::new();
    let site = server.open(None).await;
    let client = Client::http(&site.url()).expect("is an address");
    let task = client.submit(work()).await.expect("is accepted").task;
    server.lose.store(1, std::sync::atomic::Ordering::SeqCst);
    let done = client.cancel_all(None, None, None).await.expect("answers");
    assert_eq!(
        (done.cancelled, done.refused),
        (0, 0),
        "the first try did it"
    );
    let task = client.get(task).await.expect("answers").expect("exists");
    assert_eq!(task.status, Status::Cancelled);
}
