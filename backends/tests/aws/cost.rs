//! What tasks cost: at most what docs/backends.md says.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::dynamodb::Dynamo;
use russet_backends::sqs::Sqs;
use russet_engine::{Depth, Queue, SystemClock};
use russet_servers::{Fauxqs, Ministack};

use crate::engine::{complete, lease, start, submit};
use crate::servers::{lane, queues, table};

const BATCHES: usize = 5;
const BATCH: usize = 10;
/// Of SQS, for each task.
const CALLS: f64 = 0.5;
/// Of DynamoDB, for each task: 3 to submit it, 3 to note that it was announced, 5 to lease and 5
/// to complete it.
const WRITE_UNITS: f64 = 16.0;
/// For what a node writes meanwhile beside the tasks, such as who leads.
const BESIDE: f64 = 1.0;
/// Longest time until what was sent is seen.
const SOON: Duration = Duration::from_secs(60);

/// Waits until the queue holds what it should, as another node sees it.
async fn holds(other: &Sqs, depth: Depth) {
    let seen = async {
        while other.depth(&lane("emails")).await != Ok(depth) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(SOON, seen).await;
    seen.unwrap_or_else(|_| panic!("the queue holds {depth:?}"));
}

fn visible(visible: usize) -> Depth {
    Depth {
        visible: visible as u64,
        hidden: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_in_batches_cost_no_more_calls_and_write_units_than_is_said() {
    let (dynamo, fauxqs, clock) = (Ministack::start(), Fauxqs::start(), Arc::new(SystemClock));
    let options = table(&dynamo.url(), "russet", 1);
    let made = Dynamo::create_table(&options, clock.clone()).await;
    made.expect("the table is made");
    let store = Dynamo::open(options, clock.clone()).await;
    let store = store.expect("it is opened");
    let sqs = Sqs::open(queues(&fauxqs.url(), "test"), clock.clone()).await;
    let sqs = sqs.expect("it is opened");
    let node = start(store.clone(), sqs.clone());
    // Before anything is counted the queue is made, and known to the node.
    submit(&node, BATCH, &[b'x'; 256]).await;
    let mut leased = 0;
    while leased < BATCH {
        let tasks = lease(&node).await;
        leased += tasks.len();
        complete(&node, &tasks).await;
    }
    let other = Sqs::open(queues(&fauxqs.url(), "test"), clock).await;
    let other = other.expect("it is opened");
    holds(&other, visible(0)).await;

    let before = (store.usage().writes, sqs.calls());
    for _ in 0..BATCHES {
        submit(&node, BATCH, &[b'x'; 256]).await;
    }
    holds(&other, visible(BATCHES * BATCH)).await;
    let mut leased = Vec::new();
    while leased.len() < BATCHES * BATCH {
        leased.extend(lease(&node).await);
    }
    for batch in leased.chunks(BATCH) {
        complete(&node, batch).await;
    }
    holds(&other, visible(0)).await;
    let lives = (BATCHES * BATCH) as f64;
    let writes = (store.usage().writes - before.0) / lives;
    let calls = (sqs.calls() - before.1) as f64 / lives;
    println!("{writes:.2} write units and {calls:.2} calls of SQS for each task");
    assert!(writes > WRITE_UNITS / 2.0, "{writes} units: are they told?");
    assert!(writes <= WRITE_UNITS + BESIDE, "{writes} write units");
    assert!(calls <= CALLS, "{calls} calls of SQS");
    node.stop().await;
}
