//! What a backend keeps beside a record to find it again. Backends compare the entries of
//! the record before and after a write; they never decide what the entries are.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{QueueName, Record, Resources, Status, TaskId, Timestamp, WorkflowId};

/// Tasks of one queue that need the same resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// The queue.
    pub queue: QueueName,
    /// What each task in the lane needs.
    pub resources: Resources,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.queue)?;
        for (name, amount) in self.resources.iter() {
            write!(f, "/{name}={amount}")?;
        }
        Ok(())
    }
}

/// A ready task's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The lane that it waits in.
    pub lane: Lane,
    /// Its place in the lane, lowest first; ties go to the lower id.
    pub score: i64,
    /// The task.
    pub task: TaskId,
}

/// Under what a task is listed and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its queue.
    pub queue: &'a QueueName,
    /// Its status.
    pub status: Status,
    /// Its workflow.
    pub workflow: Option<WorkflowId>,
}

/// All index entries of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries<'a> {
    /// Its place among the ready tasks.
    pub ready: Option<Ready>,
    /// When its timer fires.
    pub timer: Option<Timestamp>,
    /// Under what it is listed.
    pub listed: Option<Listed<'a>>,
}

/// When the timer of `record` fires.
pub fn timer(record: &Record) -> Option<Timestamp> {
    match record {
        Record::Task(task) => task.due_at,
        Record::Outbox(outbox) => Some(outbox.due_at),
        Record::Workflow(workflow) => workflow.gate.map(|gate| gate.due_at),
        _ => None,
    }
}

/// The index entries of `record`.
pub fn entries(record: &Record) -> Entries<'_> {
    match record {
        Record::Task(task) => Entries {
            ready: (task.status == Status::Queued).then(|| Ready {
                lane: Lane {
                    queue: task.queue.clone(),
                    resources: task.resources.clone(),
                },
                score: task.score,
                task: task.id,
            }),
            timer: timer(record),
            listed: Some(Listed {
                queue: &task.queue,
                status: task.status,
                workflow: task.workflow,
            }),
        },
        Record::Outbox(_) | Record::Workflow(_) => Entries {
            timer: timer(record),
            ..Entries::default()
        },
        _ => Entries::default(),
    }
}
