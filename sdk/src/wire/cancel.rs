use russet_core::{Label, WorkflowId};
use serde::{Deserialize, Serialize};

use super::WorkflowCounts;

/// The body of `POST /v1/tasks/{id}/cancel`; it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelTask {
    /// Why, for people to read; kept as the task's last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST /v1/workflows/{id}/cancel`; it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelWorkflow {
    /// Why, for people to read; kept as the last error of each task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The reply to [`CancelWorkflow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelledWorkflowView {
    /// The workflow.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub workflow: WorkflowId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Label>,
    /// How many tasks this request cancelled.
    pub cancelled: u64,
    /// How many are running: their workers are asked to stop.
    pub asked: u64,
    /// How many tasks of the workflow are in which state now.
    pub counts: WorkflowCounts,
}
