//! The real engine on SQS, with the stores that it is paired with.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::dynamodb::Dynamo;
use russet_backends::memory::Memory;
use russet_backends::sqs::Sqs;
use russet_core::{Complete, NewTask, QueueName, Status, TaskType, WorkerId};
use russet_engine::{
    Backend, Configuration, LeaseRequest, Queue, Scheduler, Store, SystemClock, SystemEntropy,
};
use russet_servers::{Fauxqs, Ministack};

use crate::servers::{queues, table};

const TASKS: usize = 25;

fn queue() -> QueueName {
    QueueName::new("emails").expect("a name")
}

/// Submits tasks, runs each once, and finds that all of them ended.
async fn run(store: Arc<dyn Store>, queue_of: Arc<dyn Queue>) {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    let backend = Backend {
        store,
        queue: queue_of,
    };
    let node = Scheduler::start(backend, Configuration::default(), clock, entropy);
    let kind = TaskType::new("send").expect("a name");
    let task = |_| {
        let id = node.new_task_id(None, None);
        NewTask::new(id, kind.clone(), queue(), "hello".into())
    };
    let submitted = node.submit_each((0..TASKS).map(task).collect()).await;
    let submitted = submitted
        .into_iter()
        .map(|s| s.expect("is accepted").tasks[0]);
    let mut submitted: Vec<_> = submitted.collect();
    submitted.sort();
    let mut ran = Vec::new();
    while ran.len() < TASKS {
        let request = LeaseRequest {
            queues: vec![queue()],
            worker: WorkerId("worker".into()),
            capacity: None,
            max: 10,
            duration: None,
            wait: Duration::from_secs(20),
        };
        let leased = node.lease(request).await.expect("leases");
        assert!(!leased.is_empty(), "{} of {TASKS} ran", ran.len());
        ran.extend(leased.iter().map(|task| task.id));
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
    ran.sort();
    assert_eq!(ran, submitted);
    for task in node.get_each(&submitted).await.expect("are read") {
        assert_eq!(task.map(|task| task.status), Some(Status::Succeeded));
    }
    let view = node.queue(&queue()).await.expect("is counted");
    assert_eq!(view.stats.count(Status::Succeeded), TASKS as u64);
    node.stop().await;
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
