//! Several nodes on one server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use russet_backends::conformance::fixtures;
use russet_backends::redis::{Redis, RedisOptions};
use russet_core::{
    Epoch, Lane, PartitionId, QueueName, Record, RecordKey, Resources, Task, TaskId, Timestamp,
};
use russet_engine::{Change, Outcome, Queue, Store, StoreError, Transaction, Version};
use russet_servers::{RedisServer, RedisVersion};

use super::open;

pub const FIRST: PartitionId = PartitionId(0);

pub fn lane() -> Lane {
    Lane {
        queue: QueueName::new("emails").expect("a name"),
        resources: Resources::NONE,
    }
}

/// A transaction that submits a ready task.
pub fn submission(n: u64) -> (TaskId, Transaction) {
    submission_in(FIRST, n)
}

pub fn submission_in(partition: PartitionId, n: u64) -> (TaskId, Transaction) {
    let now = Timestamp::from_millis(1_760_000_000_000 + n);
    let id = TaskId::new(now, partition, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let task = Task {
        payload: Bytes::from_static(b"{}"),
        ..fixtures::queued(id, now)
    };
    let change = Change {
        key: RecordKey::Task(id),
        before: None,
        after: Some(Record::Task(task.into())),
    };
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(n),
        changes: vec![change],
    };
    (id, transaction)
}

/// Submits a ready task. In a new epoch the first try is a conflict.
pub async fn submit(redis: &Redis, n: u64) -> Result<TaskId, StoreError> {
    submit_in(redis, FIRST, n).await
}

pub async fn submit_in(
    redis: &Redis,
    partition: PartitionId,
    n: u64,
) -> Result<TaskId, StoreError> {
    let (id, mut transaction) = submission_in(partition, n);
    for _ in 0..2 {
        transaction.epoch = redis.epoch(partition);
        let outcomes = redis.commit(partition, vec![transaction.clone()]).await?;
        if outcomes == [Outcome::Committed] {
            return Ok(id);
        }
    }
    panic!("task {n} is in conflict with nothing");
}

/// Receives what comes within the time.
pub async fn receive(redis: &Redis, wait: Duration) -> Vec<TaskId> {
    let lanes = [lane()];
    let received = redis.receive(&lanes, 10, Duration::from_secs(60), wait);
    let received = received.await.expect("the queue delivers").into_iter();
    received.map(|delivery| delivery.task).collect()
}

async fn pair(server: &RedisServer) -> [Arc<Redis>; 2] {
    let options = RedisOptions::new(server.url());
    [open(options.clone()).await, open(options).await]
}

/// It does not sleep until it looks again by itself.
#[tokio::test]
async fn a_receiver_on_one_node_is_woken_by_a_commit_on_another() {
    for version in [
        RedisVersion::Redis6,
        RedisVersion::Redis7,
        RedisVersion::Valkey9,
    ] {
        let server = RedisServer::start(version);
        let [here, there] = pair(&server).await;
        let mut soonest = Duration::MAX;
        for n in 1..20 {
            let receiver = {
                let here = here.clone();
                tokio::spawn(async move { receive(&here, Duration::from_secs(60)).await })
            };
            tokio::time::sleep(Duration::from_millis(10)).await;
            let start = Instant::now();
            let id = submit(&there, n).await.expect("it is committed");
            assert_eq!(receiver.await.expect("a receiver ends"), [id]);
            soonest = soonest.min(start.elapsed());
            let before = there.get(FIRST, &[RecordKey::Task(id)]).await;
            let before = before.expect("it is loaded").remove(0);
            let removal = Change {
                key: RecordKey::Task(id),
                before,
                after: None,
            };
            let removal = Transaction {
                epoch: Epoch::default(),
                version: Version(n),
                changes: vec![removal],
            };
            there
                .commit(FIRST, vec![removal])
                .await
                .expect("it is committed");
        }
        assert!(
            soonest < Duration::from_millis(100),
            "woken after {soonest:?}"
        );
    }
}

/// Lanes that one node makes are told to the other, also to one that was not there yet.
#[tokio::test]
async fn nodes_learn_of_lanes_from_one_another() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let [here, there] = pair(&server).await;
    let known = here.lanes_epoch();
    submit(&there, 1).await.expect("it is committed");
    here.lanes_changed(known).await;
    let queue = lane().queue;
    assert_eq!(here.lanes(&queue).await, Ok(vec![lane()]));
    let later = open(RedisOptions::new(server.url())).await;
    assert_eq!(later.lanes(&queue).await, Ok(vec![lane()]));
}

/// What one node has received, the other does not get.
#[tokio::test]
async fn nodes_share_what_is_ready() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let [here, there] = pair(&server).await;
    let mut submitted = Vec::new();
    for n in 0..100 {
        submitted.push(submit(&here, n).await.expect("it is committed"));
    }
    let mut received = Vec::new();
    loop {
        let both = [
            receive(&here, Duration::ZERO).await,
            receive(&there, Duration::ZERO).await,
        ];
        if both.iter().all(Vec::is_empty) {
            break;
        }
        received.extend(both.concat());
    }
    assert_eq!(received, submitted);
}

/// While nobody works, hardly anything is sent.
#[tokio::test]
async fn an_idle_node_sends_few_commands() {
    const SECONDS: u64 = 3;
    let server = RedisServer::start(RedisVersion::Redis7);
    let mut options = RedisOptions::new(server.url());
    options.partitions = Some(4);
    let redis = open(options).await;
    let wait = Duration::from_secs(SECONDS + 2);
    let waiting = (0..32).map(|_| receive(&redis, wait));
    let counted = async {
        let count = || server.info("total_commands_processed").expect("it answers");
        let count = || count().parse::<u64>().expect("a number");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = count();
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        count() - before
    };
    let (received, sent) = futures::join!(futures::future::join_all(waiting), counted);
    assert!(received.iter().all(Vec::is_empty));
    assert!(
        sent < 20 * 4 * SECONDS / 2,
        "{sent} commands in {SECONDS} s"
    );
}
