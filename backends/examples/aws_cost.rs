//! What a task's life costs on SQS and DynamoDB: requests, and the units that the test server
//! says were consumed.
//!
//! ```text
//! ./servers/install && cargo run -p russet-backends --example aws_cost [BATCHES]
//! ```
//! Tasks of 256 bytes go in, are leased and completed in batches of ten. The background work of
//! a node (leadership, timers, waiting for messages) is in the figures of the phase in which it
//! happened, and by itself in those of an idle node.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::aws::{AwsOptions, Credentials, Seams, SharedCredentialsProvider};
use russet_backends::dynamodb::{Dynamo, DynamoOptions, Usage};
use russet_backends::sqs::{Sqs, SqsOptions};
use russet_core::{Complete, NewTask, QueueName, Task, TaskType, WorkerId};
use russet_engine::{Backend, Configuration, LeaseRequest, Scheduler, SystemClock, SystemEntropy};
use russet_servers::{ACCESS_KEY, Fauxqs, Ministack};

const BATCH: usize = 10;
const PAYLOAD: [u8; 256] = [b'x'; 256];
const IDLE_S: u64 = 20;

struct World {
    store: Arc<Dynamo>,
    sqs: Arc<Sqs>,
    node: Scheduler,
    queue: QueueName,
}

/// What was consumed up to some moment.
#[derive(Clone, Copy)]
struct Reading {
    dynamo: Usage,
    sqs: u64,
}

#[tokio::main]
async fn main() {
    let batches = std::env::args()
        .nth(1)
        .map_or(20, |n| n.parse().expect("a number"));
    let (dynamo, sqs) = (Ministack::start(), Fauxqs::start());
    let world = World::open(&dynamo.url(), &sqs.url()).await;
    world.live().await;

    println!(
        "per task life, of {} tasks in batches of {BATCH}:",
        batches * BATCH
    );
    println!("phase       Dynamo calls   reads  writes (of indexes)  SQS calls");
    let lives = (batches * BATCH) as f64;
    let start = world.reading();
    let mut phases = [start; 4];
    let mut leased = Vec::new();
    for _ in 0..batches {
        world.submit().await;
    }
    world.settle().await;
    phases[0] = world.reading();
    while leased.len() < batches * BATCH {
        leased.extend(world.lease().await);
    }
    phases[1] = world.reading();
    for batch in leased.chunks(BATCH) {
        world.complete(batch).await;
    }
    phases[2] = world.reading();
    for task in &leased {
        world.node.purge(task.id).await.expect("it is purged");
    }
    phases[3] = world.reading();
    let mut before = start;
    for (name, after) in ["submit", "lease", "complete", "purge"]
        .into_iter()
        .zip(phases)
    {
        print(name, before, after, lives);
        before = after;
    }
    print("all", start, phases[3], lives);

    let before = world.reading();
    world.idle().await;
    println!("per second of an idle node with one waiting worker and one partition:");
    print("idle", before, world.reading(), IDLE_S as f64);
    world.node.stop().await;
}

fn print(name: &str, before: Reading, after: Reading, per: f64) {
    let (from, to) = (before.dynamo, after.dynamo);
    println!(
        "{name:10} {:13.2} {:7.2} {:7.2} {:13.2} {:10.2}",
        (to.calls - from.calls) as f64 / per,
        (to.reads - from.reads) / per,
        (to.writes - from.writes) / per,
        (to.index_writes - from.index_writes) / per,
        (after.sqs - before.sqs) as f64 / per,
    );
}

impl World {
    async fn open(dynamo: &str, sqs: &str) -> Self {
        let clock = Arc::new(SystemClock);
        let options = DynamoOptions {
            aws: aws(dynamo),
            ..DynamoOptions::default()
        };
        let made = Dynamo::create_table(&options, clock.clone()).await;
        made.expect("the table is made");
        let store = Dynamo::open(options, clock.clone()).await;
        let store = store.expect("the table is opened");
        let options = SqsOptions {
            create: true,
            aws: aws(sqs),
            ..SqsOptions::default()
        };
        let sqs = Sqs::open(options, clock.clone())
            .await
            .expect("it is opened");
        let backend = Backend {
            store: store.clone(),
            queue: sqs.clone(),
        };
        let entropy = Arc::new(SystemEntropy::new());
        let node = Scheduler::start(backend, Configuration::default(), clock, entropy);
        Self {
            store,
            sqs,
            node,
            queue: QueueName::new("emails").expect("a name"),
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            dynamo: self.store.usage(),
            sqs: self.sqs.calls(),
        }
    }

    /// A whole life of a batch, so that queues are there and known.
    async fn live(&self) {
        self.submit().await;
        let leased = self.lease().await;
        self.complete(&leased).await;
    }

    async fn submit(&self) {
        let kind = TaskType::new("send").expect("a name");
        let task = |_| {
            let id = self.node.new_task_id(None, None);
            NewTask::new(
                id,
                kind.clone(),
                self.queue.clone(),
                PAYLOAD.to_vec().into(),
            )
        };
        for submitted in self.node.submit_each((0..BATCH).map(task).collect()).await {
            submitted.expect("it is accepted");
        }
    }

    /// Waits until all messages were sent, and that was noted.
    async fn settle(&self) {
        let mut before = self.store.usage().writes;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.store.usage().writes;
            if now == before {
                return;
            }
            before = now;
        }
    }

    async fn lease(&self) -> Vec<Arc<Task>> {
        let request = LeaseRequest {
            queues: vec![self.queue.clone()],
            worker: WorkerId("worker".into()),
            capacity: None,
            max: BATCH,
            duration: None,
            wait: Duration::from_secs(20),
        };
        self.node.lease(request).await.expect("it leases")
    }

    async fn complete(&self, tasks: &[Arc<Task>]) {
        let completes = tasks.iter().map(|task| Complete {
            task: task.id,
            lease: task.lease.as_ref().expect("a lease").id,
            result: None,
            progress: None,
            follow_ups: Vec::new(),
        });
        for completed in self.node.complete_each(completes.collect()).await {
            completed.expect("it is accepted");
        }
    }

    async fn idle(&self) {
        let until = tokio::time::Instant::now() + Duration::from_secs(IDLE_S);
        while tokio::time::Instant::now() < until {
            assert!(self.lease().await.is_empty(), "nothing is ready");
        }
    }
}

fn aws(url: &str) -> AwsOptions {
    let credentials = Credentials::new(ACCESS_KEY, "secret", None, None, "example");
    AwsOptions {
        region: Some("eu-central-1".into()),
        endpoint_url: Some(url.into()),
        profile: None,
        seams: Seams {
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            ..Seams::default()
        },
    }
}
