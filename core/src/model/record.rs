use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    Dependency, IdempotencyKey, MessageId, NodeId, Outbox, QueueName, QueueRecord, Task, TaskId,
    Timestamp, Window, Workflow, WorkflowId,
};

/// What a record is found by, inside its partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordKey {
    /// A task.
    Task(TaskId),
    /// One chunk of a task's dependencies, for tasks with very many.
    Dependencies(TaskId, u32),
    /// One chunk of a task's dependents.
    Dependents(TaskId, u32),
    /// That a child waits for the end of a parent in another partition: child, then parent. It
    /// is the other way round while a parent waits to be forgotten.
    Waits(TaskId, TaskId),
    /// What an idempotency key names.
    Dedup(IdempotencyKey),
    /// A workflow.
    Workflow(WorkflowId),
    /// A queue's configuration.
    Queue(QueueName),
    /// A message on its way to another partition.
    Outbox(MessageId),
    /// Who leads the partition.
    Leader,
    /// One list of what stands behind a workflow's gate.
    Gated(WorkflowId, u32),
    /// That the records of another store are being copied into this one, until all are there.
    Copy,
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// See [`RecordKey::Task`].
    Task(Arc<Task>),
    /// See [`RecordKey::Dependencies`].
    Dependencies(Arc<Vec<Dependency>>),
    /// See [`RecordKey::Dependents`]: in each edge, `task` is the dependent.
    Dependents(Arc<Vec<Dependency>>),
    /// See [`RecordKey::Waits`]; the record is removed when the parent has ended.
    Waits(Dependency),
    /// See [`RecordKey::Dedup`].
    Dedup(Arc<Dedup>),
    /// See [`RecordKey::Workflow`].
    Workflow(Arc<Workflow>),
    /// See [`RecordKey::Queue`].
    Queue(Arc<QueueRecord>),
    /// See [`RecordKey::Outbox`].
    Outbox(Arc<Outbox>),
    /// See [`RecordKey::Leader`]; under [`RecordKey::Copy`] it is nobody.
    Leader(Leader),
    /// See [`RecordKey::Gated`].
    Gated(Arc<Vec<RecordKey>>),
}

/// What an idempotency key names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dedup {
    /// The task or workflow.
    pub named: Named,
    /// A fingerprint of the request that it was submitted with, or [`Dedup::UNKNOWN`].
    pub request: u128,
    /// How long the key names it.
    pub window: Window,
    /// When it was submitted.
    pub created_at: Timestamp,
}

impl Dedup {
    /// The request of what came back to life after its key had named something else: requests
    /// are compared with the task itself.
    pub const UNKNOWN: u128 = 0;
}

/// A task or a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Named {
    /// A task.
    Task(TaskId),
    /// A workflow.
    Workflow(WorkflowId),
}

/// Who does a partition's periodic work. It saves work and protects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// The node.
    pub holder: NodeId,
    /// It grows whenever another node takes over.
    pub epoch: u64,
    /// Others may take over then.
    pub expires_at: Timestamp,
}

/// A record that has a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKey {
    /// A task.
    Task(TaskId),
    /// A message on its way.
    Outbox(MessageId),
    /// A workflow behind its gate.
    Workflow(WorkflowId),
}

impl From<TimerKey> for RecordKey {
    fn from(key: TimerKey) -> Self {
        match key {
            TimerKey::Task(id) => Self::Task(id),
            TimerKey::Outbox(id) => Self::Outbox(id),
            TimerKey::Workflow(id) => Self::Workflow(id),
        }
    }
}
