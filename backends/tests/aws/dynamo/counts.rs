//! Counts that take long.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::dynamodb::{Dynamo, DynamoOptions};
use russet_core::{QueueName, Task};
use russet_engine::{Store, SystemClock};

use crate::servers::{Stubbed, create, table, task};
use crate::stub::Stub;

/// So many that a count is not over with the first requests that are under way together.
const QUEUES: u64 = 6;
const SOON: Duration = Duration::from_secs(20);

async fn open(world: &Stubbed) -> (Arc<Dynamo>, Stub) {
    let stub = Stub::new();
    let mut options = DynamoOptions {
        stats_fresh: Duration::from_secs(600),
        ..table(&world.server.url(), "russet", 1)
    };
    options.aws.seams.http_client = Some(stub.client());
    let store = Dynamo::open(options, Arc::new(SystemClock)).await;
    (store.expect("it is opened"), stub)
}

/// Whoever comes next is given what was counted meanwhile, or waits for the rest of it.
#[tokio::test]
async fn a_count_ends_although_its_caller_has_left() {
    let world = Stubbed::start().await;
    for n in 0..QUEUES {
        let task = Task {
            queue: QueueName::new(format!("queue-{n}")).expect("a name"),
            ..task(n)
        };
        let committed = world.commit(vec![create(&task)]).await;
        committed.expect("it is committed");
    }
    let (store, stub) = open(&world).await;
    store.stats().await.expect("they are counted");
    let once = stub.count("Query");

    let (store, stub) = open(&world).await;
    let begun = async {
        while stub.count("Query") < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = begun => {}
        stats = store.stats() => panic!("it is over before anybody left: {stats:?}"),
    }
    let stats = tokio::time::timeout(SOON, store.stats()).await;
    let stats = stats.expect("in time").expect("they are counted");
    assert_eq!(stats.queues.len() as u64, QUEUES);
    assert_eq!(stub.count("Query"), once, "it was counted once");
}
