//! What `core` refuses, and why.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Status, TaskId, Timestamp};

/// One field with a value that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {problem} ({limit})")]
pub struct Invalid {
    /// The field's public name, with a position where there are several: `tasks[3].priority`.
    pub field: String,
    /// What is wrong with its value.
    pub problem: String,
    /// What would be accepted.
    pub limit: String,
}

/// A command that is not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A field's value cannot be.
    #[error(transparent)]
    Invalid(Invalid),
    /// There is no such task.
    #[error(
        "there is no task {task}: check the id; finished tasks are purged after their retention"
    )]
    NotFound {
        /// The id asked for.
        task: TaskId,
    },
    /// There is no such workflow.
    #[error(
        "there is no workflow {id}: check the id; finished workflows are purged with their tasks"
    )]
    NoWorkflow {
        /// The id asked for.
        id: crate::WorkflowId,
    },
    /// The lease is not the task's current one. The worker must stop its work.
    #[error(
        "the lease of task {task}{} is stale ({status}, attempt {attempt}): stop working on it and discard the result",
        expired(.expired_at)
    )]
    StaleLease {
        /// The task.
        task: TaskId,
        /// Where the task is now.
        status: Status,
        /// The newest attempt.
        attempt: u64,
        /// When the lease ran out, if that ended it and no other came after it.
        #[serde(default)]
        expired_at: Option<Timestamp>,
    },
    /// The task was completed with this lease before, and with another result. That one stands.
    #[error(
        "task {task} was completed with this lease already, with another result, which stands: discard this one, or read the task for what was kept"
    )]
    ResultConflict {
        /// The task.
        task: TaskId,
    },
    /// The task cannot be leased now.
    #[error("task {task} cannot be leased now: it is {status}")]
    NotQueued {
        /// The task.
        task: TaskId,
        /// Where the task is.
        status: Status,
    },
    /// The task's queue is paused.
    #[error("queue {queue} is paused: resume it to run its tasks")]
    Paused {
        /// The queue.
        queue: crate::QueueName,
    },
    /// As many tasks of the queue run as its concurrency limit allows.
    #[error("queue {queue} already runs {limit} tasks, its concurrency limit")]
    ConcurrencyLimit {
        /// The queue.
        queue: crate::QueueName,
        /// The limit.
        limit: u32,
    },
    /// Dependencies form a cycle.
    #[error("dependencies form a cycle: {}; remove one of these dependencies", path.join(" -> "))]
    Cycle {
        /// The tasks of the cycle in order; the first is repeated at the end.
        path: Vec<String>,
    },
    /// A dependency does not exist.
    #[error(
        "{task} depends on {dependency}, which does not exist: submit it first, or in the same workflow"
    )]
    DependencyNotFound {
        /// The label or id of the dependent.
        task: String,
        /// The missing task.
        dependency: TaskId,
    },
    /// The idempotency key, or the id, already names a different request.
    #[error(
        "the {what} already names {existing}, from a different request: use a new one for new work"
    )]
    IdempotencyConflict {
        /// What names the other task: the idempotency key or the id.
        what: String,
        /// The task that it names.
        existing: TaskId,
    },
    /// The idempotency key of what would come back to life names something else now.
    #[error(
        "the idempotency key {key} names {existing} now: redrive when that has ended and the key is free"
    )]
    KeyTaken {
        /// The key.
        key: crate::IdempotencyKey,
        /// The task that it names, or the workflow.
        existing: TaskId,
    },
    /// The task is in a state in which the command makes no sense.
    #[error("task {task} is {status}: {needs}")]
    WrongStatus {
        /// The task.
        task: TaskId,
        /// Where the task is.
        status: Status,
        /// Which state is needed, and what to do.
        needs: String,
    },
    /// A bound would be crossed.
    #[error("{what} would exceed {limit}")]
    LimitExceeded {
        /// What would be too much.
        what: String,
        /// The largest value.
        limit: u64,
    },
    /// The command by itself changes more records than the store can change at once.
    #[error(
        "the command changes {changes} records at once, and the store can change {limit}: send less with it, or make its tasks a workflow, which may be larger"
    )]
    TransactionTooLarge {
        /// How many records it would change.
        changes: u64,
        /// How many the store can change.
        limit: u64,
    },
    /// The command by itself changes records of more bytes than the store can change at once.
    #[error(
        "the command changes about {bytes} bytes of records at once, and the store can change {limit}: send less with it, keep large data elsewhere, or make its tasks a workflow, which may be larger"
    )]
    TransactionTooHeavy {
        /// How many bytes it would change, about.
        bytes: u64,
        /// How many the store can change.
        limit: u64,
    },
    /// A task would wait for so many live tasks again that not all of them can be told at once.
    #[error(
        "task {task} waits for more tasks that are live again than the store can change at once: redrive it again when most of them have ended"
    )]
    TooManyParents {
        /// The task.
        task: TaskId,
    },
    /// A task of a workflow needs more records changed at once than the store can change.
    #[error(
        "{task} depends on {count} tasks outside of its workflow, and the store can do {limit}: let some of its dependencies wait for them instead"
    )]
    TooManyOutside {
        /// The label or id of the task.
        task: String,
        /// How many tasks outside it depends on.
        count: u64,
        /// How many it may depend on.
        limit: u64,
    },
    /// The workflow is being submitted, and not all of it is stored yet.
    #[error(
        "workflow {workflow} is being submitted and is not complete yet: send the same submission again in a moment"
    )]
    Incomplete {
        /// The workflow.
        workflow: crate::WorkflowId,
    },
    /// Another node leads the partition.
    #[error("node {holder} leads the partition until {until}")]
    NotLeader {
        /// The leader.
        holder: crate::NodeId,
        /// When its leadership ends.
        until: Timestamp,
    },
}

impl Rejection {
    /// A refusal of one field.
    pub fn invalid(
        field: impl Into<String>,
        problem: impl Into<String>,
        limit: impl Into<String>,
    ) -> Self {
        Self::Invalid(Invalid {
            field: field.into(),
            problem: problem.into(),
            limit: limit.into(),
        })
    }

    /// The refusal's name in public interfaces.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NotFound { .. } | Self::NoWorkflow { .. } => "not_found",
            Self::StaleLease { .. } => "stale_lease",
            Self::ResultConflict { .. } => "result_conflict",
            Self::NotQueued { .. } => "not_queued",
            Self::Paused { .. } => "paused",
            Self::ConcurrencyLimit { .. } => "concurrency_limit",
            Self::Cycle { .. } => "cycle",
            Self::DependencyNotFound { .. } => "dependency_not_found",
            Self::IdempotencyConflict { .. } | Self::KeyTaken { .. } => "idempotency_conflict",
            Self::WrongStatus { .. } => "wrong_status",
            Self::LimitExceeded { .. }
            | Self::TransactionTooLarge { .. }
            | Self::TransactionTooHeavy { .. }
            | Self::TooManyParents { .. }
            | Self::TooManyOutside { .. } => "limit_exceeded",
            Self::Incomplete { .. } => "incomplete",
            Self::NotLeader { .. } => "not_leader",
        }
    }

    /// The same refusal, with the field named inside `parent`: `tasks[3].priority`.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        match self {
            Self::Invalid(mut invalid) => {
                invalid.field = alloc::format!("{parent}.{}", invalid.field);
                Self::Invalid(invalid)
            }
            other => other,
        }
    }
}

/// That a lease ran out, and when.
fn expired(at: &Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| alloc::format!(" expired at {at} and"))
}
