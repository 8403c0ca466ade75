//! Servers, and how they are reached.

use std::sync::Arc;
use std::time::Duration;

use russet_backends::aws::{AwsOptions, Credentials, Seams, SharedCredentialsProvider};
use russet_backends::conformance::fixtures;
use russet_backends::dynamodb::{Dynamo, DynamoOptions};
use russet_backends::sqs::SqsOptions;
use russet_core::{
    Lane, NewTask, PartitionId, QueueName, Record, RecordKey, Resources, Task, TaskId, Timestamp,
};
use russet_engine::{
    Change, Entropy, Message, Outcome, Store, StoreError, SystemClock, SystemEntropy, Transaction,
    Version, Versioned,
};
use russet_servers::{ACCESS_KEY, Ministack};

use crate::stub::Stub;

pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// How a server on this machine is reached.
pub fn aws(url: &str) -> AwsOptions {
    let credentials = Credentials::new(ACCESS_KEY, SECRET, None, None, "test");
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

/// A table on this server, whose counters are never old.
pub fn table(url: &str, name: &str, partitions: u16) -> DynamoOptions {
    DynamoOptions {
        table: name.into(),
        partitions: Some(partitions),
        stats_fresh: Duration::ZERO,
        aws: aws(url),
    }
}

/// Queues on this server with this prefix, created by their first message.
pub fn queues(url: &str, prefix: &str) -> SqsOptions {
    SqsOptions {
        prefix: prefix.into(),
        create: true,
        aws: aws(url),
    }
}

/// A store on a server of its own, whose requests a stub may answer.
pub struct Stubbed {
    pub server: Ministack,
    pub stub: Stub,
    pub store: Arc<Dynamo>,
}

impl Stubbed {
    pub async fn start() -> Self {
        let (server, stub) = (Ministack::start(), Stub::new());
        let mut options = table(&server.url(), "russet", 1);
        options.aws.seams.http_client = Some(stub.client());
        let clock = || Arc::new(SystemClock);
        let made = Dynamo::create_table(&options, clock()).await;
        made.expect("the table is made");
        let store = Dynamo::open(options, clock()).await;
        Self {
            store: store.expect("the table is opened"),
            server,
            stub,
        }
    }

    /// Commits one transaction.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<Outcome, StoreError> {
        let version = Version(SystemEntropy::new().next_u64());
        let transaction = Transaction {
            epoch: russet_core::Epoch::default(),
            version,
            changes,
        };
        let outcomes = self.store.commit(PARTITION, vec![transaction]).await?;
        Ok(outcomes[0])
    }

    pub async fn load(&self, task: &Task) -> Option<Versioned> {
        let keys = [RecordKey::Task(task.id)];
        let loaded = self.store.get(PARTITION, &keys).await;
        loaded.expect("it is read").remove(0)
    }
}

pub const PARTITION: PartitionId = PartitionId(0);

/// A queued task; each number makes another one.
pub fn task(number: u64) -> Task {
    let now = Timestamp::from_millis(1_760_000_000_000 + number);
    fixtures::queued(TaskId::new(now, PARTITION, number), now)
}

pub fn create(task: &Task) -> Change {
    Change {
        key: RecordKey::Task(task.id),
        before: None,
        after: Some(Record::Task(Arc::new(task.clone()))),
    }
}

/// A lane without resources.
pub fn lane(queue: &str) -> Lane {
    Lane {
        queue: QueueName::new(queue).expect("a name"),
        resources: Resources::NONE,
    }
}

/// The announcement of a task in its lane.
pub fn message(number: u64, lane: &Lane) -> Message {
    Message {
        lane: lane.clone(),
        priority: NewTask::PRIORITY,
        score: 0,
        task: task(number).id,
    }
}
