//! The real engine on SQS, with the stores that it is paired with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russet_backends::dynamodb::Dynamo;
use russet_backends::memory::Memory;
use russet_backends::redis::{Redis, RedisOptions};
use russet_backends::sqs::Sqs;
use russet_core::{
    Complete, Epoch, Millis, NewTask, QueueName, Status, Task, TaskId, TaskType, WorkerId,
};
use russet_engine::{
    Backend, Configuration, LeaseRequest, Queue, Scheduler, Store, SystemClock, SystemEntropy,
};
use russet_servers::{Fauxqs, Ministack, RedisServer, RedisVersion};

use crate::servers::{queues, table};

const TASKS: usize = 25;
/// Longest time until a store that was away is used again.
const SOON: Duration = Duration::from_secs(60);

pub fn queue() -> QueueName {
    QueueName::new("emails").expect("a name")
}

pub fn start(store: Arc<dyn Store>, queue: Arc<dyn Queue>) -> Scheduler {
    let backend = Backend { store, queue };
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Scheduler::start(backend, Configuration::default(), clock, entropy)
}

pub async fn submit(node: &Scheduler, tasks: usize, payload: &'static [u8]) -> Vec<TaskId> {
    let kind = TaskType::new("send").expect("a name");
    let task = |_| {
        let id = node.new_task_id(None, None);
        NewTask::new(id, kind.clone(), queue(), Bytes::from_static(payload))
    };
    let submitted = node.submit_each((0..tasks).map(task).collect()).await;
    let submitted = submitted
        .into_iter()
        .map(|s| s.expect("is accepted").tasks[0]);
    let mut submitted: Vec<_> = submitted.collect();
    submitted.sort();
    submitted
}

pub async fn lease(node: &Scheduler) -> Vec<Arc<Task>> {
    let request = LeaseRequest {
        queues: vec![queue()],
        worker: WorkerId("worker".into()),
        capacity: None,
        max: 10,
        // Longer than any of these tests.
        duration: Some(Millis::from_secs(300)),
        wait: Duration::from_secs(20),
    };
    node.lease(request).await.expect("leases")
}

pub async fn complete(node: &Scheduler, leased: &[Arc<Task>]) {
    let completes = leased.iter().map(|task| Complete {
        task: task.id,
        lease: task.lease.as_ref().expect("a lease").id,
        result: Some("done".into()),
        progress: None,
        follow_ups: Vec::new(),
    });
    for completed in node.complete_each(completes.collect()).await {
        assert_eq!(completed.expect("is accepted").status, Status::Succeeded);
    }
}

/// Runs each task that waits once, and finds that all of them ended.
async fn finish(node: &Scheduler, submitted: &[TaskId], mut ran: Vec<TaskId>) {
    while ran.len() < TASKS {
        let leased = lease(node).await;
        assert!(!leased.is_empty(), "{} of {TASKS} ran", ran.len());
        ran.extend(leased.iter().map(|task| task.id));
        complete(node, &leased).await;
    }
    ran.sort();
    assert_eq!(ran, submitted);
    for task in node.get_each(submitted).await.expect("are read") {
        assert_eq!(task.map(|task| task.status), Some(Status::Succeeded));
    }
    let view = node.queue(&queue()).await.expect("is counted");
    assert_eq!(view.stats.count(Status::Succeeded), TASKS as u64);
    node.stop().await;
}

/// Submits tasks, runs each once, and finds that all of them ended.
async fn run(store: Arc<dyn Store>, queue: Arc<dyn Queue>) {
    let node = start(store, queue);
    let submitted = submit(&node, TASKS, b"hello").await;
    finish(&node, &submitted, Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqs_and_dynamodb_serve_tasks_as_one() {
    let (server, clock) = (Ministack::start(), Arc::new(SystemClock));
    let options = table(&server.url(), "russet", 2);
    let made = Dynamo::create_table(&options, clock.clone()).await;
    made.expect("the table is made");
    let store = Dynamo::open(options, clock.clone()).await;
    let sqs = Sqs::open(queues(&server.url(), "test"), clock).await;
    run(store.expect("it is opened"), sqs.expect("it is opened")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqs_and_another_store_serve_tasks_as_one() {
    let (server, clock) = (Fauxqs::start(), Arc::new(SystemClock));
    let sqs = Sqs::open(queues(&server.url(), "test"), clock.clone()).await;
    run(Memory::new(2, clock), sqs.expect("it is opened")).await;
}

/// Another process of the server answers in the middle, and so in another epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqs_and_redis_serve_tasks_as_one_also_when_redis_is_killed() {
    let synced = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut redis = RedisServer::start_with(RedisVersion::Redis7, &synced);
    let (server, clock) = (Fauxqs::start(), Arc::new(SystemClock));
    let mut options = RedisOptions::new(redis.url());
    options.partitions = Some(2);
    let store = Redis::open(options, clock.clone()).await;
    let sqs = Sqs::open(queues(&server.url(), "test"), clock).await;
    let node = start(store.expect("it is opened"), sqs.expect("it is opened"));
    let submitted = submit(&node, TASKS, b"hello").await;
    let held = lease(&node).await;
    tokio::task::block_in_place(|| redis.restart());
    let again = async {
        while node.get_each(&submitted).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let again = tokio::time::timeout(SOON, again).await;
    again.expect("Redis answers again");
    let later = lease(&node).await;
    let epoch = |task: &Arc<Task>| task.attempt / Epoch::ATTEMPTS;
    let (before, after) = (epoch(&held[0]), epoch(&later[0]));
    assert!(before < after, "{before} before, and {after} now");
    // What was leased before is still its worker's.
    let ran: Vec<_> = [held, later].concat();
    complete(&node, &ran).await;
    finish(&node, &submitted, ran.iter().map(|task| task.id).collect()).await;
}
