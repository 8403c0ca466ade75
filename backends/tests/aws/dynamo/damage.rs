//! Items that somebody else has put into the table, among the entries of its indexes.

use std::sync::Arc;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use russet_backends::dynamodb::Dynamo;
use russet_backends::limits::DYNAMO_TIMER_SHARDS;
use russet_core::{Epoch, QueueName, Record, RecordKey, Status, Task, Timestamp};
use russet_engine::{Change, Listing, Store, SystemClock, Transaction, Version};
use russet_servers::Ministack;

use super::opening::{client, make};
use crate::servers::{PARTITION, create, table, task};

fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes.into()))
}

/// Puts an item with these attributes, each in the groups of an index.
async fn put(server: &Ministack, key: &str, attributes: &[(&str, AttributeValue)]) {
    let client = client(&server.url());
    let request = client.put_item().table_name("russet").item("k", bytes(key));
    let request = attributes.iter().fold(request, |request, (name, value)| {
        request.item(*name, value.clone())
    });
    request.send().await.expect("it is put");
}

/// A task that becomes ready at a time of its own.
fn scheduled(number: u64) -> (Change, Timestamp) {
    let task = task(number);
    let at = task.created_at;
    let task = Task {
        status: Status::Scheduled,
        ready_at: None,
        due_at: Some(at),
        ..task
    };
    let change = Change {
        after: Some(Record::Task(Arc::new(task.clone()))),
        ..create(&task)
    };
    assert_eq!(change.key, RecordKey::Task(task.id));
    (change, at)
}

#[tokio::test]
async fn entries_of_indexes_that_cannot_be_read_are_left_out_and_all_others_are_found() {
    let server = Ministack::start();
    let options = table(&server.url(), "russet", 1);
    make(&options).await;
    let store = Dynamo::open(options, Arc::new(SystemClock)).await;
    let store = store.expect("it is opened");
    let ((change, at), ready) = (scheduled(1), task(2));
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(7),
        changes: vec![change, create(&ready)],
    };
    store
        .commit(PARTITION, vec![transaction])
        .await
        .expect("it is committed");

    for shard in 0..DYNAMO_TIMER_SHARDS {
        let group = [0, 0, shard];
        let due = ("d", AttributeValue::N("0".to_owned()));
        let timer = [("t", bytes(group)), due];
        put(&server, &format!("timer {shard}"), &timer).await;
    }
    let queue = QueueName::new(ready.queue.as_str()).expect("a name");
    let listed = [&[0, Status::Queued as u8][..], queue.as_str().as_bytes()].concat();
    for id in ["", "1", "zz"] {
        let entry = [("l", bytes(listed.clone())), ("i", bytes(format!("x{id}")))];
        put(&server, &format!("listed {id}"), &entry).await;
    }
    let name = [("l", bytes([0xff, 1])), ("i", bytes([0xff, 0xff]))];
    put(&server, "a name", &name).await;

    for most in [1, 10] {
        let due = store.due(PARTITION, at, most).await.expect("they are read");
        let due: Vec<_> = due.iter().map(|due| due.at).collect();
        assert_eq!(due, [at], "at most {most}");
    }
    for limit in [1, 10] {
        let listing = Listing {
            status: Some(Status::Queued),
            limit,
            ..Listing::default()
        };
        let page = store.list(&listing).await.expect("they are listed");
        assert_eq!(page.items, [ready.id], "at most {limit}");
    }
    let stats = store.stats().await.expect("they are counted");
    assert_eq!(stats.queues.len(), 1);
    let strange = u64::from(DYNAMO_TIMER_SHARDS) + 3 + 1;
    assert_eq!(store.unreadable(), strange);
}
