//! The first format: a workflow did not count what was not needed, and a message told a parent's
//! end as its status.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Deserialize;

use super::CodecError;
use crate::{
    Dedup, Dependency, DependencyOn, End, Gate, Idempotency, Label, Leader, QueueRecord, RecordKey,
    Status, Task, TaskId, Timestamp, WorkflowId,
};

#[derive(Deserialize)]
pub(super) enum Record {
    Task(Arc<Task>),
    Dependencies(Arc<Vec<Dependency>>),
    Dependents(Arc<Vec<Dependency>>),
    Waits(Dependency),
    Dedup(Arc<Dedup>),
    Workflow(Workflow),
    Queue(Arc<QueueRecord>),
    Outbox(Outbox),
    Leader(Leader),
    Gated(Arc<Vec<RecordKey>>),
}

#[derive(Deserialize)]
pub(super) struct Workflow {
    id: WorkflowId,
    name: Option<Label>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    tasks: u32,
    succeeded: u32,
    dead: u32,
    cancelled: u32,
    purged: u32,
    idempotency: Option<Idempotency>,
    members: u128,
    gate: Option<Gate>,
}

#[derive(Deserialize)]
pub(super) struct Outbox {
    message: Message,
    tries: u32,
    due_at: Timestamp,
}

#[derive(Deserialize)]
enum Message {
    Watch {
        parent: TaskId,
        child: TaskId,
        on: DependencyOn,
    },
    Settled {
        parent: TaskId,
        child: TaskId,
        status: Option<Status>,
    },
}

impl TryFrom<Record> for crate::Record {
    type Error = CodecError;

    fn try_from(record: Record) -> Result<Self, CodecError> {
        Ok(match record {
            Record::Task(task) => Self::Task(task),
            Record::Dependencies(edges) => Self::Dependencies(edges),
            Record::Dependents(edges) => Self::Dependents(edges),
            Record::Waits(edge) => Self::Waits(edge),
            Record::Dedup(dedup) => Self::Dedup(dedup),
            Record::Workflow(workflow) => Self::Workflow(Arc::new(workflow.into())),
            Record::Queue(queue) => Self::Queue(queue),
            Record::Outbox(outbox) => Self::Outbox(Arc::new(outbox.try_into()?)),
            Record::Leader(leader) => Self::Leader(leader),
            Record::Gated(keys) => Self::Gated(keys),
        })
    }
}

impl From<Workflow> for crate::Workflow {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id,
            name: workflow.name,
            created_at: workflow.created_at,
            completed_at: workflow.completed_at,
            tasks: workflow.tasks,
            succeeded: workflow.succeeded,
            dead: workflow.dead,
            cancelled: workflow.cancelled,
            not_needed: 0,
            purged: workflow.purged,
            idempotency: workflow.idempotency,
            members: workflow.members,
            gate: workflow.gate,
        }
    }
}

impl TryFrom<Outbox> for crate::Outbox {
    type Error = CodecError;

    fn try_from(outbox: Outbox) -> Result<Self, CodecError> {
        let message = match outbox.message {
            Message::Watch { parent, child, on } => crate::Message::Watch {
                parent,
                child,
                on,
                life: None,
            },
            Message::Settled {
                parent,
                child,
                status,
            } => crate::Message::Settled {
                parent,
                child,
                end: status.map(end).transpose()?,
                life: None,
            },
        };
        Ok(Self {
            message,
            tries: outbox.tries,
            due_at: outbox.due_at,
        })
    }
}

fn end(status: Status) -> Result<End, CodecError> {
    match status {
        Status::Succeeded => Ok(End::Succeeded),
        Status::Dead => Ok(End::Dead),
        Status::Cancelled => Ok(End::Cancelled),
        Status::Blocked | Status::Scheduled | Status::Queued | Status::Running => {
            Err(CodecError::Damaged)
        }
    }
}
