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
