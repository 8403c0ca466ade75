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
