//! What a decision is made from, and what it is.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    Epoch, Event, Leader, LeaseId, Message, Millis, PartitionId, QueueConfig, Record, RecordKey,
    Records, Rejection, Status, Task, TaskId, Timestamp, TransactionLimit, WorkflowId,
};

/// What is known when a command is decided: the records that were loaded, each present or
/// known to be absent, and the settings of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The partition that the records are of.
    pub partition: PartitionId,
    /// How many partitions the store has; `None`: dependencies on any are believed.
    pub partitions: Option<u16>,
    /// Ready tasks are announced by messages of a queue outside the store.
    pub split: bool,
    /// How far the clocks of two nodes may be apart.
    pub max_clock_skew: Millis,
    /// How a queue without a record treats its tasks.
    pub queue_defaults: QueueConfig,
    /// How much the store changes in one transaction.
    #[serde(default)]
    pub transaction: TransactionLimit,
    /// How often the store may have gone back.
    #[serde(default)]
    pub epoch: Epoch,
    /// What was loaded.
    pub records: Records,
}

impl View {
    /// Replaces what the writes of a decision change.
    pub fn apply(&mut self, writes: &[Write]) {
        for Write { key, record } in writes {
            self.records.insert(key.clone(), record.clone());
        }
    }
}

/// One record that a decision changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Which.
    pub key: RecordKey,
    /// What it becomes; `None` removes it.
    pub record: Option<Record>,
}

/// What is to be done: all of it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The records that it was made from.
    pub reads: Vec<RecordKey>,
    /// The records to change.
    pub writes: Vec<Write>,
    /// Tasks for which a queue message is to be sent, when the queue is not the store.
    pub sends: Vec<TaskId>,
    /// Messages that are now in the outbox.
    pub messages: Vec<Message>,
    /// What happened.
    pub events: Vec<Event>,
    /// What to answer.
    pub reply: Reply,
}

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// These records must be loaded first, then the command is decided again.
    Missing(Vec<RecordKey>),
    /// The command is refused.
    Rejected(Rejection),
    /// The records contradict one another. Either they were loaded one after the other and
    /// changed meanwhile, or an invariant is broken: load them again, and go on only when one
    /// of them is another than before.
    Contradiction(String),
}

impl From<Rejection> for Undecided {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Answers `Submit`.
    Submitted {
        /// The tasks, in the order of the command; those of the first submission when the
        /// command was a repetition.
        tasks: Vec<TaskId>,
        /// The workflow, when it was one.
        workflow: Option<WorkflowId>,
        /// The command repeats an earlier one, and nothing was changed.
        existing: bool,
    },
    /// Answers `Submit` of a workflow that does not fit into one transaction, until all of it is
    /// stored: carry these out, in order, and send the same `Submit` again.
    Staged(Vec<crate::Stage>),
    /// Answers `Lease`: the task as it is now, with its lease.
    Leased(alloc::sync::Arc<Task>),
    /// Answers `Extend`.
    Extended {
        /// When the lease expires now.
        expires_at: Timestamp,
        /// The holder is asked to stop.
        cancel_requested: bool,
    },
    /// Answers `Complete`, `Fail`, `Release`, `Cancel`, `Redrive` and `Purge`.
    Now {
        /// The task.
        task: TaskId,
        /// Where it is now.
        status: Status,
        /// The newest attempt.
        attempt: u64,
        /// When it is due, if it is scheduled.
        scheduled_at: Option<Timestamp>,
        /// A cancellation waits for the task's holder.
        cancel_requested: bool,
        /// Follow-up tasks that were committed with a completion.
        follow_ups: Vec<TaskId>,
    },
    /// Answers `RedriveWorkflow`.
    Redriven {
        /// Where each task is now, or why it stays as it is, in the order of the command.
        tasks: Vec<Result<Status, Rejection>>,
    },
    /// Answers `Fire` when the timer was due.
    Fired {
        /// When it fires next.
        next: Option<Timestamp>,
        /// A message that is to be delivered.
        relay: Option<Message>,
    },
    /// Answers `Fire` when there was nothing to do yet.
    NotDue {
        /// When it fires.
        next: Option<Timestamp>,
    },
    /// Answers `Configure`.
    Configured(QueueConfig),
    /// Answers `Campaign`.
    Leading(Leader),
    /// Answers `Stage`, `Deliver`, `Acknowledge` and `Sent`.
    Done,
}

impl Reply {
    /// The lease that the reply grants.
    pub fn lease(&self) -> Option<LeaseId> {
        match self {
            Self::Leased(task) => task.lease.as_ref().map(|lease| lease.id),
            _ => None,
        }
    }
}
