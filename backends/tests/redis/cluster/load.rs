//! Slots that move while tasks are submitted, leased and completed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use russet_backends::redis::Redis;
use russet_core::{PartitionId, Record, RecordKey, Status, Task, TaskId};
use russet_engine::{Change, Outcome, Queue, Store, Transaction, Version, Versioned};
use russet_servers::{RedisCluster, RedisVersion};

use super::super::nodes::{lane, receive, submission_in};
use super::super::open;
use super::{another, fields, options, slot};

const PARTITIONS: u16 = 4;
/// How often each partition moves.
const MOVES: usize = 4;
const WORKERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(5);
const SOON: Duration = Duration::from_secs(60);

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    versions: AtomicU64,
    submitted: Mutex<Vec<TaskId>>,
    leased: Mutex<Vec<TaskId>>,
    completed: Mutex<Vec<TaskId>>,
    refused: AtomicU64,
}

impl Acknowledged {
    fn sorted(&self, which: impl Fn(&Self) -> &Mutex<Vec<TaskId>>) -> Vec<TaskId> {
        let mut ids = which(self).lock().expect("ids").clone();
        ids.sort_unstable();
        ids
    }

    fn version(&self) -> Version {
        Version(1 + self.versions.fetch_add(1, Ordering::Relaxed))
    }
}

async fn load(redis: &Redis, id: TaskId) -> Option<Versioned> {
    loop {
        let loaded = redis.get(id.partition(), &[RecordKey::Task(id)]).await;
        match loaded {
            Ok(mut loaded) => return loaded.remove(0),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Writes the record until it is there, or another version than the one before.
async fn write(
    redis: &Redis,
    acknowledged: &Acknowledged,
    id: TaskId,
    before: Option<Versioned>,
    after: Record,
) -> bool {
    let version = acknowledged.version();
    loop {
        let transaction = Transaction {
            epoch: redis.epoch(id.partition()),
            version,
            changes: vec![Change {
                key: RecordKey::Task(id),
                before: before.clone(),
                after: Some(after.clone()),
            }],
        };
        match redis.commit(id.partition(), vec![transaction]).await {
            Ok(outcomes) if outcomes == [Outcome::Committed] => return true,
            Ok(_) => {}
            Err(_) => {
                acknowledged.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
        let found = load(redis, id).await.map(|known| known.version);
        if found == Some(version) {
            return true;
        }
        if found != before.as_ref().map(|known| known.version) {
            return false;
        }
    }
}

async fn submit_until(
    redis: &Redis,
    partition: PartitionId,
    acknowledged: &Acknowledged,
    over: &AtomicBool,
) {
    for n in 0.. {
        if over.load(Ordering::Acquire) {
            break;
        }
        let (id, mut transaction) = submission_in(partition, n);
        let record = transaction.changes.remove(0).after.expect("a task");
        assert!(write(redis, acknowledged, id, None, record).await);
        acknowledged.submitted.lock().expect("ids").push(id);
        tokio::time::sleep(PAUSE).await;
    }
}

fn with(known: &Versioned, status: Status) -> Record {
    match &known.record {
        Record::Task(task) => Record::Task(Arc::new(Task {
            status,
            ..(**task).clone()
        })),
        other => panic!("no task: {other:?}"),
    }
}

/// Leases what is delivered, and completes it.
async fn work(redis: &Redis, acknowledged: &Acknowledged, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        let lanes = [lane()];
        let hidden = Duration::from_secs(1);
        let received = redis.receive(&lanes, 5, hidden, Duration::from_millis(100));
        let Ok(received) = received.await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        for id in received.into_iter().map(|delivery| delivery.task) {
            let Some(ready) = load(redis, id).await else {
                panic!("{id} was delivered and is not there");
            };
            let is_ready = matches!(&ready.record, Record::Task(t) if t.status == Status::Queued);
            let running = with(&ready, Status::Running);
            if !is_ready || !write(redis, acknowledged, id, Some(ready), running).await {
                continue;
            }
            acknowledged.leased.lock().expect("ids").push(id);
            let running = load(redis, id).await.expect("it is there");
            let done = with(&running, Status::Succeeded);
            assert!(write(redis, acknowledged, id, Some(running), done).await);
            acknowledged.completed.lock().expect("ids").push(id);
        }
    }
}

fn move_slots(cluster: &RedisCluster) {
    for _ in 0..MOVES {
        for partition in 0..PARTITIONS {
            let slot = slot(cluster, partition);
            let moving = cluster.move_slot(slot, another(cluster, slot));
            while moving.move_key() {
                std::thread::sleep(2 * PAUSE);
            }
            std::thread::sleep(2 * PAUSE);
            moving.finish();
            std::thread::sleep(10 * PAUSE);
        }
    }
}

/// Everything that was acknowledged is there once, on one node.
async fn check(cluster: &RedisCluster, redis: &Redis, acknowledged: &Acknowledged) {
    let submitted = acknowledged.sorted(|all| &all.submitted);
    assert_eq!(acknowledged.sorted(|all| &all.leased), submitted);
    assert_eq!(acknowledged.sorted(|all| &all.completed), submitted);
    let mut by_partition: BTreeMap<u16, usize> = BTreeMap::new();
    for id in &submitted {
        *by_partition.entry(id.partition().0).or_default() += 1;
        let found = load(redis, *id).await.map(|known| known.record);
        assert!(matches!(found, Some(Record::Task(t)) if t.status == Status::Succeeded));
    }
    for (partition, count) in by_partition {
        let key = format!("{{russet:{partition}}}:records");
        let found: Vec<_> = (0..3).filter_map(|at| fields(cluster, at, &key)).collect();
        assert_eq!(found, [count], "of partition {partition}");
    }
    for node in 0..3 {
        let keys = cluster.ask(node, "KEYS *");
        for key in keys.lines().filter(|line| line.starts_with("{russet:")) {
            let slot = cluster.ask(node, &format!("CLUSTER KEYSLOT {key}"));
            let slot = slot.trim_start_matches(':').lines().next();
            let slot = slot.and_then(|slot| slot.parse().ok()).expect("a slot");
            assert_eq!(cluster.owner(slot), node, "{key}");
        }
    }
    assert_eq!(receive(redis, Duration::ZERO).await, []);
    let stats = redis.stats().await.expect("it is counted");
    let count = |status| stats.queues.iter().map(|q| q.count(status)).sum::<u64>();
    assert_eq!(count(Status::Succeeded), submitted.len() as u64);
    assert_eq!(count(Status::Queued) + count(Status::Running), 0);
}

async fn migrate_under_load(version: RedisVersion) {
    let cluster = Arc::new(RedisCluster::start(version, &[]));
    let mut options = options(&cluster);
    options.partitions = Some(PARTITIONS);
    let nodes = [open(options.clone()).await, open(options).await];
    let acknowledged = Acknowledged::default();
    let [moved, completed] = [AtomicBool::new(false), AtomicBool::new(false)];
    let submitters = (0..PARTITIONS).map(|n| {
        let redis = &nodes[usize::from(n) % 2];
        submit_until(redis, PartitionId(n), &acknowledged, &moved)
    });
    let workers = (0..WORKERS).map(|n| work(&nodes[n % 2], &acknowledged, &completed));
    let mover = {
        let cluster = cluster.clone();
        tokio::task::spawn_blocking(move || move_slots(&cluster))
    };
    let end = async {
        mover.await.expect("slots move");
        moved.store(true, Ordering::Release);
    };
    let submitted = async {
        futures::join!(join_all(submitters), end);
        let all = async {
            let count = |ids: &Mutex<Vec<TaskId>>| ids.lock().expect("ids").len();
            while count(&acknowledged.completed) < count(&acknowledged.submitted) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let all = tokio::time::timeout(SOON, all).await;
        completed.store(true, Ordering::Release);
        all.expect("all tasks are completed");
    };
    futures::join!(submitted, join_all(workers));
    check(&cluster, &nodes[0], &acknowledged).await;
    let refused = acknowledged.refused.load(Ordering::Relaxed);
    assert!(refused > 0, "no slot was met while it moved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load_lose_and_double_nothing_on_redis_7() {
    migrate_under_load(RedisVersion::Redis7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load_lose_and_double_nothing_on_redis_6() {
    migrate_under_load(RedisVersion::Redis6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load_lose_and_double_nothing_on_valkey_9() {
    migrate_under_load(RedisVersion::Valkey9).await;
}
