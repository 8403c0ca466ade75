//! Single entries and records of a store that somebody else has altered: what is theirs is left
//! out, and all others are found.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russet_backends::conformance::fixtures;
use russet_backends::redis::{Redis, RedisOptions};
use russet_core::{
    Complete, Epoch, NewTask, QueueName, QueuePatch, Record, RecordKey, Status, Submit, Task,
    TaskId, TaskType, Timestamp, WorkerId,
};
use russet_engine::{
    Change, Configuration, EngineError, LeaseRequest, Listing, Queue, Scheduler, Store, StoreError,
    SystemClock, SystemEntropy, Transaction, Version,
};
use russet_servers::RedisServer;

use super::apart::ask;
use super::failing::ALL;
use super::nodes::{FIRST, lane, receive, submit};
use super::{backend, open};

const RECORDS: &str = "{russet:0}:records";
const READY: &str = "{russet:0}:ready:emails";
const HIDDEN: &str = "{russet:0}:hidden:emails";
const TIMERS: &str = "{russet:0}:timers";

/// What no entry of an index is: too short for a score, for an id, and too long.
const STRANGE: [&[u8]; 3] = [b"x", b"a score, and no id", &[7; 40]];

async fn add(server: &RedisServer, key: &str, score: i64, members: &[&[u8]]) {
    for member in members {
        let added: u64 = ask(server, redis::cmd("ZADD").arg(key).arg(score).arg(*member)).await;
        assert_eq!(added, 1);
    }
}

#[tokio::test]
async fn timers_that_cannot_be_read_do_not_hold_up_the_others() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let mut timers = Vec::new();
        for n in 1..=3 {
            timers.push(with_timer(&redis, n).await);
        }
        add(&server, TIMERS, 0, &STRANGE).await;
        let before = Timestamp::from_millis(u64::MAX / 2);
        for most in [1, 2, 3, 10] {
            let due = redis.due(FIRST, before, most).await.expect("they are read");
            let due: Vec<_> = due.iter().map(|due| due.at.as_millis()).collect();
            assert_eq!(due, timers[..most.min(3)], "at most {most}");
        }
        assert_eq!(redis.unreadable(), 3);
    }
}

/// A task that becomes ready at a time of its own; when.
async fn with_timer(redis: &Redis, n: u64) -> u64 {
    let now = Timestamp::from_millis(1_760_000_000_000 + n);
    let id = TaskId::new(now, FIRST, n);
    let task = Task {
        status: Status::Scheduled,
        ready_at: None,
        due_at: Some(now),
        ..fixtures::queued(id, now)
    };
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(n),
        changes: vec![Change {
            key: RecordKey::Task(id),
            before: None,
            after: Some(Record::Task(Arc::new(task))),
        }],
    };
    redis
        .commit(FIRST, vec![transaction])
        .await
        .expect("it is committed");
    now.as_millis()
}

#[tokio::test]
async fn places_of_a_lane_that_cannot_be_read_do_not_stop_deliveries() {
    for version in ALL {
        let server = RedisServer::start(version);
        let mut options = RedisOptions::new(server.url());
        options.partitions = Some(2);
        let redis = open(options).await;
        // Before and behind what can be read, and as if it was hidden until now.
        add(&server, READY, i64::MIN / 2, &STRANGE[..2]).await;
        add(&server, READY, i64::MAX / 2, &STRANGE[2..]).await;
        add(&server, HIDDEN, 1, &[b"y", b"the time hidden is over"]).await;
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(submit(&redis, n).await.expect("it is committed"));
        }
        let wait = Duration::from_secs(5);
        let mut received = Vec::new();
        while received.len() < ids.len() {
            let some = receive_one(&redis, wait).await;
            assert!(!some.is_empty(), "only {received:?} of {ids:?}");
            received.extend(some);
        }
        received.sort();
        ids.sort();
        assert_eq!(received, ids);
        assert_eq!(receive(&redis, Duration::ZERO).await, []);
        assert_eq!(redis.unreadable(), 5);
        let hidden: u64 = ask(&server, redis::cmd("ZCARD").arg(HIDDEN)).await;
        assert_eq!(hidden, 4 + 5, "nothing is removed");
    }
}

async fn receive_one(redis: &Redis, wait: Duration) -> Vec<TaskId> {
    let hidden = Duration::from_secs(60);
    let received = redis.receive(&[lane()], 1, hidden, wait).await;
    let received = received.expect("the queue delivers").into_iter();
    received.map(|delivery| delivery.task).collect()
}

#[tokio::test]
async fn names_of_queues_that_cannot_be_read_are_left_out_of_lists_and_counters() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let id = submit(&redis, 1).await.expect("it is committed");
        for set in ["queues", "configured", "lanes"] {
            let key = format!("{{russet:0}}:{set}");
            let strange = redis::cmd("SADD").arg(key).arg(b"\xff no name").clone();
            let added: u64 = ask(&server, &strange).await;
            assert_eq!(added, 1);
        }
        let listing = Listing {
            limit: 10,
            ..Listing::default()
        };
        let page = redis.list(&listing).await.expect("they are listed");
        assert_eq!(page.items, [id]);
        let stats = redis.stats().await.expect("they are counted");
        assert_eq!(stats.queues.len(), 1);
        assert_eq!(stats.queues[0].count(Status::Queued), 1);
    }
}

fn start(redis: Arc<Redis>) -> Scheduler {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Scheduler::start(backend(redis), Configuration::default(), clock, entropy)
}

fn named(queue: &str) -> QueueName {
    QueueName::new(queue).expect("a name")
}

async fn new_task(node: &Scheduler, queue: &str) -> TaskId {
    let kind = TaskType::new("send").expect("a name");
    let id = node.new_task_id(None, None);
    let task = NewTask::new(id, kind, named(queue), Bytes::from_static(b"{}"));
    let submit = Submit {
        workflow: None,
        tasks: vec![task],
    };
    node.submit(submit).await.expect("is accepted");
    id
}

async fn lease(node: &Scheduler, queues: &[&str]) -> Result<Vec<Arc<Task>>, EngineError> {
    let request = LeaseRequest {
        queues: queues.iter().map(|queue| named(queue)).collect(),
        worker: WorkerId("worker".into()),
        capacity: None,
        max: 10,
        duration: None,
        wait: Duration::from_secs(5),
    };
    node.lease(request).await
}

/// Alters a byte of each record whose field holds the text.
async fn alter(server: &RedisServer, text: &[u8]) {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = ask(server, redis::cmd("HGETALL").arg(RECORDS)).await;
    let meant = fields.into_iter();
    let mut meant = meant.filter(|(field, _)| field.windows(text.len()).any(|part| part == text));
    let (field, mut value) = meant.next().expect("it is there");
    *value.last_mut().expect("it is not empty") ^= 1;
    let altered = redis::cmd("HSET")
        .arg(RECORDS)
        .arg(field)
        .arg(value)
        .clone();
    let _: u64 = ask(server, &altered).await;
}

#[tokio::test]
async fn a_queue_whose_settings_are_damaged_does_not_stop_the_others() {
    for version in ALL {
        let server = RedisServer::start(version);
        let node = start(open(RedisOptions::new(server.url())).await);
        let patch = QueuePatch {
            concurrency: Some(Some(50)),
            ..QueuePatch::default()
        };
        let configured = node.configure(named("emails"), patch).await;
        configured.expect("it is configured");
        new_task(&node, "emails").await;
        let other = new_task(&node, "other").await;
        alter(&server, b"emails").await;
        let error = lease(&node, &["emails"]).await.expect_err("it is damaged");
        let said = error.to_string();
        let is_typed = matches!(error, EngineError::Store(StoreError::Unreadable { .. }));
        assert!(
            is_typed && said.contains("queue emails") && said.contains("restore"),
            "{said}"
        );
        let leased = lease(&node, &["emails", "other"]).await.expect("leases");
        let ids: Vec<_> = leased.iter().map(|task| task.id).collect();
        assert_eq!(ids, [other]);
        complete(&node, &leased[0]).await;
        let queues = node.queues().await.expect("they are listed");
        let damaged = queues.iter().map(|view| view.unreadable.is_some());
        assert_eq!(damaged.collect::<Vec<_>>(), [true, false]);
        node.stop().await;
    }
}

async fn complete(node: &Scheduler, task: &Task) {
    let complete = Complete {
        task: task.id,
        lease: task.lease.as_ref().expect("a lease").id,
        result: None,
        progress: None,
        follow_ups: Vec::new(),
    };
    node.complete(complete).await.expect("is accepted");
}

/// It is the first of its lane, of which the counters tell how old it is.
#[tokio::test]
async fn a_damaged_task_is_left_out_of_the_counters_and_does_not_stop_them() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let id = submit(&redis, 1).await.expect("it is committed");
        let bytes = id.as_u128().to_be_bytes();
        alter(&server, &bytes[8..]).await;
        let stats = redis.stats().await.expect("they are counted");
        assert_eq!(stats.queues[0].count(Status::Queued), 1);
        assert_eq!(stats.queues[0].oldest_ready_at, None);
    }
}
