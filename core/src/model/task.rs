use alloc::boxed::Box;
use alloc::string::String;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Dependencies, Dependents, End, Extra, IdempotencyKey, IfUnsatisfied, LeaseId, Millis,
    PartitionKey, QueueName, Resources, Status, TaskId, TaskType, Timestamp, WorkerId, WorkflowId,
};

/// A task, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its identity, which names its partition.
    pub id: TaskId,
    /// What kind of work it is.
    pub kind: TaskType,
    /// The queue that it waits in.
    pub queue: QueueName,
    /// What the handler gets.
    pub payload: Bytes,
    /// Where it is in its life.
    pub status: Status,
    /// 0 to 9, 9 most urgent.
    pub priority: u8,
    /// Its place by longest remaining path, for tasks of a workflow without a priority
    /// of their own: 0 last, 65,535 first.
    pub rank: Option<u16>,
    /// Failures that were followed by another try, in this life.
    pub retry_count: u32,
    /// How failures are followed by other tries.
    pub retry: RetryPolicy,
    /// The fencing token: how often it was leased. It only grows.
    pub attempt: u64,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When the last decision about it was made; time never runs backwards for a task.
    pub updated_at: Timestamp,
    /// It does not start before: its delay, or the end of its backoff.
    pub scheduled_at: Option<Timestamp>,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// Its place among the ready tasks of its lane, lowest first.
    pub score: i64,
    /// When its newest attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// It is dead-lettered when nobody has ever started it by then.
    pub expires_at: Option<Timestamp>,
    /// When its timer fires.
    pub due_at: Option<Timestamp>,
    /// When it is no longer kept, once it has ended.
    pub purge_at: Option<Timestamp>,
    /// How long a lease lasts without a heartbeat.
    pub lease_duration: Millis,
    /// How long one attempt may take, heartbeats or not.
    pub timeout: Option<Millis>,
    /// How long it is kept after its end, when not as its queue says.
    pub retention: Option<Millis>,
    /// The newest lease; it is the current one while the task is running.
    pub lease: Option<Box<Lease>>,
    /// What it waits for.
    pub dependencies: Dependencies,
    /// What becomes of it when a dependency cannot be satisfied.
    pub if_unsatisfied: IfUnsatisfied,
    /// Who waits for it.
    pub dependents: Dependents,
    /// What a worker must have free to hold it.
    pub resources: Resources,
    /// The key that names it, when its submitter gave one.
    pub idempotency: Option<Box<Idempotency>>,
    /// The text that chose its partition.
    pub partition_key: Option<Box<PartitionKey>>,
    /// The workflow that it belongs to.
    pub workflow: Option<WorkflowId>,
    /// What its submitter wants to keep beside it; a JSON object to the edges.
    pub metadata: Extra,
    /// What its handler returned.
    pub result: Option<Box<Bytes>>,
    /// Why the newest failed attempt failed.
    pub last_error: Option<Box<TaskError>>,
    /// What its handler last said about its progress.
    pub progress: Option<Box<Progress>>,
    /// Somebody wants it cancelled and its holder has not stopped yet.
    pub cancel_requested: bool,
    /// It is queued, and no queue message for it is known to be sent (split backends only).
    pub unsent: bool,
    /// How often its queue message was sent again, since none is known to be sent (split backends
    /// only); while it waits for others in other partitions, how often it asked them again.
    pub sends: u32,
    /// The command that redrove it last.
    pub redriven_by: Option<u64>,
}

impl Task {
    /// How it ended; `None` while it is live.
    pub fn end(&self) -> Option<End> {
        let error = self.last_error.as_deref();
        match self.status {
            Status::Succeeded => Some(End::Succeeded),
            Status::Dead => Some(End::Dead),
            Status::Cancelled => Some(match error.map(|error| error.kind) {
                Some(ErrorKind::NotNeeded) => End::NotNeeded,
                _ => End::Cancelled,
            }),
            Status::Blocked | Status::Scheduled | Status::Queued | Status::Running => None,
        }
    }
}

/// How failures are followed by other tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Most further tries after a first failure.
    pub max_retries: u32,
    /// How long the first backoff is; each later one is twice the one before.
    pub backoff: Millis,
    /// The longest backoff, also of the first one.
    pub backoff_cap: Millis,
    /// How much is added to a backoff at most, at random, in percent of it.
    pub jitter_percent: u8,
}

impl RetryPolicy {
    /// The policy with another first backoff. One that is longer than the longest is the longest,
    /// too: nobody asks for it to be cut by a default.
    #[must_use]
    pub fn with_backoff(self, backoff: Millis) -> Self {
        Self {
            backoff,
            backoff_cap: self.backoff_cap.max(backoff),
            ..self
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 10,
            backoff: Millis::from_secs(1),
            backoff_cap: Millis::from_secs(3_600),
            jitter_percent: 10,
        }
    }
}

/// One grant of a task to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The grant's identity.
    pub id: LeaseId,
    /// Who holds it.
    pub worker: WorkerId,
    /// The holder must extend or finish before.
    pub expires_at: Timestamp,
    /// The attempt must end before, when it has a timeout.
    pub deadline: Option<Timestamp>,
    /// It holds a slot of its queue's concurrency limit.
    pub slot: bool,
    /// How it ended; `None` while it is held.
    pub ended: Option<LeaseEnd>,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEnd {
    /// The holder completed the task.
    Completed,
    /// The holder reported a failure.
    Failed,
    /// The holder gave the task back.
    Released,
    /// Time ran out.
    Expired,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// What sort of failure it was.
    pub kind: ErrorKind,
    /// What the worker said.
    pub message: String,
    /// The attempt that failed; 0 when none was started.
    pub attempt: u64,
    /// When.
    pub at: Timestamp,
}

/// What sort of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The handler failed.
    Failed,
    /// The handler failed and says that trying again is of no use.
    Final,
    /// The handler panicked.
    Panicked,
    /// The worker stopped sending heartbeats.
    LeaseExpired,
    /// The attempt took longer than the task's timeout.
    TimedOut,
    /// Nobody started the task before its `expires_at`.
    Expired,
    /// A dependency can no longer be satisfied.
    DependencyUnsatisfied,
    /// Somebody cancelled the task.
    Cancelled,
    /// The task was there for a failure that did not happen.
    NotNeeded,
}

impl ErrorKind {
    /// Whether it says why a task is as it is: a task is not cancelled because an attempt of it
    /// failed before.
    pub const fn explains(self, status: Status) -> bool {
        match self {
            Self::Failed | Self::Final | Self::Panicked | Self::LeaseExpired | Self::TimedOut => {
                !matches!(status, Status::Cancelled)
            }
            Self::Expired | Self::DependencyUnsatisfied | Self::Cancelled | Self::NotNeeded => true,
        }
    }

    /// The public name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Final => "final",
            Self::Panicked => "panicked",
            Self::LeaseExpired => "lease_expired",
            Self::TimedOut => "timed_out",
            Self::Expired => "expired",
            Self::DependencyUnsatisfied => "dependency_unsatisfied",
            Self::Cancelled => "cancelled",
            Self::NotNeeded => "not_needed",
        }
    }
}

/// What a handler says about its progress; kept from attempt to attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// For people to read.
    pub message: Option<String>,
    /// Where a later attempt can go on.
    pub checkpoint: Option<Bytes>,
}

/// A client's own identity for a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// How long the key names the submission.
    pub window: Window,
}

/// How long an idempotency key names its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// This long after the submission.
    For(Millis),
    /// Until the task ends.
    WhileLive,
}

impl Default for Window {
    fn default() -> Self {
        Self::For(Millis::from_days(1))
    }
}
