use russet_core::{ErrorKind, Event, EventKind, QueueName, TaskId, WorkflowId};
use serde::{Deserialize, Serialize};

use super::Time;

/// What happened to a task: one server-sent event of `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventView {
    /// When it was decided.
    pub at: Time,
    /// What happened: `submitted`, `queued`, `leased`, `extended`, `succeeded`, `failed`,
    /// `retried`, `expired`, `dead_lettered`, `released`, `cancel_requested`, `cancelled`,
    /// `redriven` or `purged`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub event: EventKind,
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// Its queue.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub queue: QueueName,
    /// Its workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workflow_id: Option<WorkflowId>,
    /// Its newest attempt.
    pub attempt: u64,
    /// Why, where there is a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reason: Option<ErrorKind>,
}

/// That a reader of events does not get all of them: the server-sent event `missed` of
/// `GET /v1/events`, where they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissedView {
    /// Why.
    pub reason: MissedReason,
    /// How many commits with events are missing, whichever events were asked for; absent when
    /// nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MissedReason {
    /// The reader was too slow.
    Slow,
    /// The node does not keep what followed `Last-Event-ID` any more.
    Forgotten,
    /// `Last-Event-ID` is none of this node since it was started: another node gave it, or this
    /// one before.
    Unknown,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self {
            at: event.at.into(),
            event: event.kind,
            task: event.task,
            queue: event.queue.clone(),
            workflow_id: event.workflow,
            attempt: event.attempt,
            reason: event.reason,
        }
    }
}
