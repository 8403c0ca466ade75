//! A server whose memory is used up: nothing new is taken, and what is there is worked on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russet_backends::redis::{Redis, RedisOptions};
use russet_core::{
    Complete, Epoch, Lane, NewTask, QueueName, RecordKey, Status, Submit, Task, TaskType, WorkerId,
};
use russet_engine::{
    Change, Configuration, Delivery, EngineError, LeaseRequest, Queue, Scheduler, Store,
    StoreError, SystemClock, SystemEntropy, Transaction, Version,
};
use russet_servers::RedisServer;

use super::failing::{ALL, is_there, submit_soon};
use super::nodes::{FIRST, lane, receive, submit};
use super::{backend, open};

const HIDDEN: Duration = Duration::from_millis(300);
const NO_WAIT: Duration = Duration::ZERO;
const TASKS: usize = 20;

fn set_full(server: &RedisServer, full: bool) {
    let most = if full { 1 } else { 0 };
    let set = server.ask(&format!("CONFIG SET maxmemory {most}"));
    let set = set.expect("it answers");
    assert!(set.starts_with("+OK"), "{set}");
}

/// New tasks are refused with a clear error, and what is there can be worked on.
#[tokio::test]
async fn a_server_without_memory_takes_no_new_tasks() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let id = submit(&redis, 1).await.expect("it is committed");
        set_full(&server, true);
        let error = submit(&redis, 2).await.expect_err("there is no memory");
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        let key = RecordKey::Task(id);
        let before = redis.get(FIRST, std::slice::from_ref(&key)).await;
        let before = before.expect("it is loaded").remove(0);
        let after = before.as_ref().map(|known| known.record.clone());
        let transaction = Transaction {
            epoch: Epoch::default(),
            version: Version(77),
            changes: vec![Change { key, before, after }],
        };
        redis
            .commit(FIRST, vec![transaction])
            .await
            .expect("it is changed");
        set_full(&server, false);
        submit(&redis, 2).await.expect("it is committed");
    }
}

async fn take(redis: &Redis, hidden: Duration, wait: Duration) -> Vec<Delivery> {
    let lanes: [Lane; 1] = [lane()];
    let taken = redis.receive(&lanes, 10, hidden, wait).await;
    taken.expect("the queue delivers")
}

#[tokio::test]
async fn deliveries_come_again_from_a_server_without_memory() {
    for version in ALL {
        let server = RedisServer::start(version);
        let redis = open(RedisOptions::new(server.url())).await;
        let id = submit(&redis, 1).await.expect("it is committed");
        assert_eq!(take(&redis, HIDDEN, NO_WAIT).await.len(), 1);
        set_full(&server, true);
        let again = take(&redis, HIDDEN, Duration::from_secs(20)).await;
        assert_eq!(again[0].task, id, "its time hidden was over");
        let released = redis.release(vec![again[0].receipt.clone()], NO_WAIT).await;
        released.expect("it is given back");
        assert_eq!(receive(&redis, NO_WAIT).await, [id]);
    }
}

/// It may have been restarted because its memory was used up.
#[tokio::test]
async fn a_node_starts_and_works_on_a_server_without_memory() {
    for version in ALL {
        let mut server = RedisServer::start_with(version, &super::SYNCED);
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        drop(redis);
        server.restart();
        set_full(&server, true);
        let redis = open(RedisOptions::new(server.url())).await;
        let error = submit(&redis, 2).await.expect_err("there is no memory");
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert!(is_there(&redis, 1).await);
        let node = start(redis);
        let leased = lease(&node).await;
        assert_eq!(leased.len(), 1);
        assert_eq!(complete(&node, &leased).await, [Status::Succeeded]);
        node.stop().await;
    }
}

fn start(redis: Arc<Redis>) -> Scheduler {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Scheduler::start(backend(redis), Configuration::default(), clock, entropy)
}

fn new_task(node: &Scheduler) -> Submit {
    let kind = TaskType::new("send").expect("a name");
    let queue = QueueName::new("emails").expect("a name");
    let id = node.new_task_id(None, None);
    let task = NewTask::new(id, kind, queue, Bytes::from_static(b"{}"));
    let tasks = vec![task];
    Submit {
        workflow: None,
        tasks,
    }
}

async fn lease(node: &Scheduler) -> Vec<Arc<Task>> {
    let request = LeaseRequest {
        queues: vec![QueueName::new("emails").expect("a name")],
        worker: WorkerId("worker".into()),
        capacity: None,
        max: TASKS,
        duration: None,
        wait: Duration::from_secs(20),
    };
    node.lease(request).await.expect("leases")
}

async fn complete(node: &Scheduler, leased: &[Arc<Task>]) -> Vec<Status> {
    let complete = |task: &Arc<Task>| {
        node.complete(Complete {
            task: task.id,
            lease: task.lease.as_ref().expect("a lease").id,
            result: None,
            progress: None,
            follow_ups: Vec::new(),
        })
    };
    let completed = futures::future::join_all(leased.iter().map(complete)).await;
    let status = |now: Result<russet_engine::TaskNow, EngineError>| now.expect("accepted").status;
    completed.into_iter().map(status).collect()
}

/// They are committed together, and only the new ones are refused.
#[tokio::test]
async fn what_runs_is_finished_beside_new_tasks_that_are_refused() {
    for version in ALL {
        let server = RedisServer::start(version);
        let node = start(open(RedisOptions::new(server.url())).await);
        for _ in 0..TASKS {
            node.submit(new_task(&node)).await.expect("is accepted");
        }
        let leased = lease(&node).await;
        assert_eq!(leased.len(), TASKS);
        set_full(&server, true);
        let submits = (0..TASKS).map(|_| node.submit(new_task(&node)));
        let (refused, completed) =
            futures::join!(futures::future::join_all(submits), complete(&node, &leased));
        for refused in refused {
            let error = refused.expect_err("there is no memory");
            let full = matches!(&error, EngineError::Store(StoreError::Full { .. }));
            assert!(full, "{error}");
        }
        assert_eq!(completed, [Status::Succeeded; TASKS]);
        set_full(&server, false);
        node.submit(new_task(&node)).await.expect("is accepted");
        node.stop().await;
    }
}

/// Its primary may be another one after a failover, with another policy.
#[tokio::test]
async fn a_server_that_begins_to_evict_is_not_used_when_it_is_met_again() {
    for version in ALL {
        let evicts = ["--maxmemory-policy", "allkeys-lru"];
        let mut server = RedisServer::start_with(version, &evicts);
        server
            .ask("CONFIG SET maxmemory-policy noeviction")
            .expect("it answers");
        let redis = open(RedisOptions::new(server.url())).await;
        submit(&redis, 1).await.expect("it is committed");
        server.process_mut().kill();
        server.restart();
        let refused = async {
            loop {
                let error = submit(&redis, 2).await.expect_err("it evicts");
                if error.to_string().contains("allkeys-lru") {
                    return error;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let refused = tokio::time::timeout(super::failing::SOON, refused).await;
        let error = refused.expect("it says so").to_string();
        assert!(error.contains("set maxmemory-policy noeviction"), "{error}");
        server
            .ask("CONFIG SET maxmemory-policy noeviction")
            .expect("it answers");
        submit_soon(&redis, 3).await;
    }
}

#[tokio::test]
async fn a_new_store_is_refused_by_a_server_without_memory() {
    for version in ALL {
        let server = RedisServer::start(version);
        set_full(&server, true);
        let error = Redis::open(RedisOptions::new(server.url()), Arc::new(SystemClock)).await;
        let error = error.err().expect("there is no memory").to_string();
        assert!(error.contains("raise maxmemory"), "{error}");
    }
}
