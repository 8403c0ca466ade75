//! What happened, as every reader of it sees it: history, metrics, dashboard and checkers.

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, QueueName, TaskId, Timestamp, WorkflowId};

/// One thing that a decision did to one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// The task.
    pub task: TaskId,
    /// Its queue.
    pub queue: QueueName,
    /// Its workflow.
    pub workflow: Option<WorkflowId>,
    /// Its newest attempt.
    pub attempt: u64,
    /// What happened.
    pub kind: EventKind,
    /// Why, where there is a reason.
    pub reason: Option<ErrorKind>,
}

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was accepted.
    Submitted,
    /// It is ready.
    Queued,
    /// A worker holds it.
    Leased,
    /// Its holder sent a heartbeat.
    Extended,
    /// It finished well.
    Succeeded,
    /// An attempt failed.
    Failed,
    /// It will be tried again.
    Retried,
    /// A lease, an attempt or the task itself ran out of time.
    Expired,
    /// It failed for good.
    DeadLettered,
    /// Its holder gave it back.
    Released,
    /// Its holder was asked to stop.
    CancelRequested,
    /// It was cancelled.
    Cancelled,
    /// It starts a new life after its end.
    Redriven,
    /// It is no longer kept.
    Purged,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Submitted,
        Self::Queued,
        Self::Leased,
        Self::Extended,
        Self::Succeeded,
        Self::Failed,
        Self::Retried,
        Self::Expired,
        Self::DeadLettered,
        Self::Released,
        Self::CancelRequested,
        Self::Cancelled,
        Self::Redriven,
        Self::Purged,
    ];

    /// The public name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Extended => "extended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Expired => "expired",
            Self::DeadLettered => "dead_lettered",
            Self::Released => "released",
            Self::CancelRequested => "cancel_requested",
            Self::Cancelled => "cancelled",
            Self::Redriven => "redriven",
            Self::Purged => "purged",
        }
    }
}
