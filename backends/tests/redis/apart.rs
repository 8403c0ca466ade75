//! Records whose later part stands in a field of its own.

use std::sync::Arc;

use bytes::Bytes;
use russet_backends::conformance::fixtures;
use russet_backends::redis::{Redis, RedisOptions};
use russet_core::{Epoch, Lease, LeaseId, Record, RecordKey, Status, Task, TaskId, WorkflowId};
use russet_core::{Timestamp, WorkerId};
use russet_engine::{Change, Listing, Outcome, Store, StoreError, Transaction, Version, Versioned};
use russet_servers::RedisServer;

use super::failing::ALL;
use super::nodes::FIRST;
use super::open;

/// Where the records of the first partition stand.
const RECORDS: &str = "{russet:0}:records";
/// How long the name of the field of a task is: its id without its partition. The name of the field
/// in which stands what it is later is longer.
const NAME_BYTES: usize = 14;

/// A ready task of a workflow.
fn task(n: u64, payload: usize, metadata: usize) -> Task {
    let now = Timestamp::from_millis(1_760_000_000_000 + n);
    let id = TaskId::new(now, FIRST, n);
    Task {
        payload: Bytes::from(vec![b'1'; payload]),
        metadata: Bytes::from(vec![b'2'; metadata]).into(),
        workflow: Some(flow()),
        ..fixtures::queued(id, now)
    }
}

fn flow() -> WorkflowId {
    WorkflowId::from(TaskId::new(Timestamp::from_millis(1), FIRST, 7))
}

fn started(task: &Task) -> Task {
    let lease = Lease {
        id: LeaseId::from_u128(7),
        worker: WorkerId("w".into()),
        expires_at: task.created_at,
        deadline: None,
        slot: false,
        ended: None,
    };
    Task {
        status: Status::Running,
        attempt: 1,
        lease: Some(Box::new(lease)),
        ..task.clone()
    }
}

fn ended(task: &Task) -> Task {
    Task {
        status: Status::Succeeded,
        result: Some(Box::new(Bytes::from_static(b"3"))),
        lease: None,
        ..started(task)
    }
}

async fn load(redis: &Redis, id: TaskId) -> Result<Option<Versioned>, StoreError> {
    let mut loaded = redis.get(FIRST, &[RecordKey::Task(id)]).await?;
    Ok(loaded.remove(0))
}

/// Writes what a task is now, or removes it, over what is known of it.
async fn write(
    redis: &Redis,
    before: Option<Versioned>,
    id: TaskId,
    now: Option<&Task>,
) -> Outcome {
    static VERSIONS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let version = VERSIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let change = Change {
        key: RecordKey::Task(id),
        before,
        after: now.map(|task| Record::Task(Arc::new(task.clone()))),
    };
    let transaction = Transaction {
        epoch: Epoch::default(),
        version: Version(version),
        changes: vec![change],
    };
    let outcomes = redis.commit(FIRST, vec![transaction]).await;
    outcomes.expect("is answered").remove(0)
}

/// Lets a task be what it is next.
async fn step(redis: &Redis, now: &Task) {
    let before = load(redis, now.id).await.expect("is loaded");
    let outcome = write(redis, before, now.id, Some(now)).await;
    assert_eq!(outcome, Outcome::Committed);
}

/// The tasks of the workflow that are in a status, for which the records are read.
async fn listed(redis: &Redis, status: Status) -> Result<Vec<TaskId>, StoreError> {
    let listing = Listing {
        workflow: Some(flow()),
        status: Some(status),
        limit: 10,
        ..Listing::default()
    };
    Ok(redis.list(&listing).await?.items)
}

/// The fields of the first partition's records, and how long their values are.
async fn fields(server: &RedisServer) -> Vec<(Vec<u8>, usize)> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = ask(server, redis::cmd("HGETALL").arg(RECORDS)).await;
    let sizes = fields.into_iter().map(|(name, value)| (name, value.len()));
    sizes.collect()
}

pub async fn ask<T: redis::FromRedisValue>(server: &RedisServer, command: &redis::Cmd) -> T {
    let client = redis::Client::open(server.url()).expect("an address");
    let connection = client.get_multiplexed_async_connection().await;
    let answer = command
        .query_async(&mut connection.expect("connects"))
        .await;
    answer.expect("is answered")
}

/// Takes away the one field that stands for a part of a record: the later one, or the first.
async fn lose(server: &RedisServer, later: bool) {
    let fields = fields(server).await.into_iter().map(|(name, _)| name);
    let meant: Vec<_> = fields
        .filter(|name| (name.len() > NAME_BYTES) == later)
        .collect();
    assert_eq!(meant.len(), 1, "{meant:?}");
    let gone: u64 = ask(server, redis::cmd("HDEL").arg(RECORDS).arg(&meant[0])).await;
    assert_eq!(gone, 1);
}

#[tokio::test]
async fn a_task_reads_the_same_on_every_node_at_each_step_however_much_it_carries() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let sizes = [
            (10, 0, false),
            (1_023, 0, false),
            (1_000, 24, true),
            (300_000, 0, true),
        ];
        for (n, (payload, metadata, is_large)) in (0..).zip(sizes) {
            let task = task(n, payload, metadata);
            for now in [task.clone(), started(&task), ended(&task)] {
                step(&redis, &now).await;
                let other = open(RedisOptions::new(server.url())).await;
                for node in [&redis, &other] {
                    let known = load(node, task.id).await.expect("is loaded");
                    let record = known.map(|known| known.record);
                    assert_eq!(record, Some(Record::Task(Arc::new(now.clone()))));
                    assert_eq!(listed(node, now.status).await, Ok(vec![task.id]));
                }
            }
            let fields = fields(&server).await;
            let later = fields.iter().find(|(name, _)| name.len() > NAME_BYTES);
            assert_eq!(later.is_some(), is_large, "{payload} and {metadata} bytes");
            assert!(later.is_none_or(|(_, bytes)| *bytes < 500), "{later:?}");
            let before = load(&redis, task.id).await.expect("is loaded");
            let outcome = write(&redis, before, task.id, None).await;
            assert_eq!(outcome, Outcome::Committed);
            assert_eq!(load(&redis, task.id).await, Ok(None));
            assert_eq!(self::fields(&server).await, [], "nothing is left of it");
        }
    }
}

/// Such as after a restore of a part of the data.
#[tokio::test]
async fn a_task_whose_first_part_is_missing_cannot_be_read_or_listed_and_all_others_can() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let (large, small) = (task(1, 100_000, 0), task(2, 10, 0));
        step(&redis, &large).await;
        step(&redis, &started(&large)).await;
        lose(&server, false).await;
        step(&redis, &small).await;
        let error = load(&redis, large.id).await.expect_err("is no task");
        let said = error.to_string();
        assert!(error.concerns_records(), "{error:?}");
        assert!(said.contains(&format!("{:?}", large.id)), "{said}");
        assert!(said.ends_with("restore the server from a backup"), "{said}");
        let both = [large.id, small.id].map(RecordKey::Task);
        assert_eq!(redis.get(FIRST, &both).await, Err(error.clone()));
        let listed = listed(&redis, Status::Queued).await.expect("the others");
        assert_eq!(listed, [small.id], "{error}");
        let known = load(&redis, small.id).await.expect("is loaded");
        assert_eq!(
            known.map(|known| known.record),
            Some(Record::Task(Arc::new(small.clone())))
        );
        let all = Listing {
            workflow: Some(flow()),
            limit: 10,
            ..Listing::default()
        };
        let page = redis.list(&all).await.expect("is read from an index");
        assert_eq!(page.items, [large.id, small.id]);
    }
}

/// What is left is what the task was first, and nothing that was decided later is taken for it.
#[tokio::test]
async fn a_decision_on_a_later_part_that_is_gone_meanwhile_is_in_conflict() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let large = task(1, 100_000, 0);
        step(&redis, &large).await;
        let first = load(&redis, large.id).await.expect("is loaded");
        step(&redis, &started(&large)).await;
        let later = load(&redis, large.id).await.expect("is loaded");
        lose(&server, true).await;
        let outcome = write(&redis, later, large.id, Some(&ended(&large))).await;
        assert_eq!(outcome, Outcome::Conflict);
        assert_eq!(load(&redis, large.id).await, Ok(first));
    }
}
