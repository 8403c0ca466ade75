//! The second format: a message did not say in which life of a task it was asked for.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::{
    Dedup, Dependency, DependencyOn, End, Leader, QueueRecord, RecordKey, Task, TaskId, Timestamp,
    Workflow,
};

#[derive(Deserialize)]
pub(super) enum Record {
    Task(Arc<Task>),
    Dependencies(Arc<Vec<Dependency>>),
    Dependents(Arc<Vec<Dependency>>),
    Waits(Dependency),
    Dedup(Arc<Dedup>),
    Workflow(Arc<Workflow>),
    Queue(Arc<QueueRecord>),
    Outbox(Outbox),
    Leader(Leader),
    Gated(Arc<Vec<RecordKey>>),
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
    Ask {
        parent: TaskId,
        child: TaskId,
    },
    Settled {
        parent: TaskId,
        child: TaskId,
        end: Option<End>,
    },
}

impl From<Record> for crate::Record {
    fn from(record: Record) -> Self {
        match record {
            Record::Task(task) => Self::Task(task),
            Record::Dependencies(edges) => Self::Dependencies(edges),
            Record::Dependents(edges) => Self::Dependents(edges),
            Record::Waits(edge) => Self::Waits(edge),
            Record::Dedup(dedup) => Self::Dedup(dedup),
            Record::Workflow(workflow) => Self::Workflow(workflow),
            Record::Queue(queue) => Self::Queue(queue),
            Record::Outbox(outbox) => Self::Outbox(Arc::new(outbox.into())),
            Record::Leader(leader) => Self::Leader(leader),
            Record::Gated(keys) => Self::Gated(keys),
        }
    }
}

impl From<Outbox> for crate::Outbox {
    fn from(outbox: Outbox) -> Self {
        Self {
            message: outbox.message.into(),
            tries: outbox.tries,
            due_at: outbox.due_at,
        }
    }
}

impl From<Message> for crate::Message {
    fn from(message: Message) -> Self {
        let life = None;
        match message {
            Message::Watch { parent, child, on } => Self::Watch {
                parent,
                child,
                on,
                life,
            },
            Message::Ask { parent, child } => Self::Ask {
                parent,
                child,
                life,
            },
            Message::Settled { parent, child, end } => Self::Settled {
                parent,
                child,
                end,
                life,
            },
        }
    }
}
