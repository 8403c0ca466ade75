use russet_core::{Label, WorkflowId};
use serde::{Deserialize, Serialize};

use super::{RefusedTask, WorkflowCounts};

/// The body of `POST /v1/workflows/{id}/redrive`; it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedriveWorkflow {
    /// A text that names this request, as in [`RedriveTask`](super::RedriveTask).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Tasks that somebody cancelled are meant too. Those that were cancelled because of a
    /// dependency always are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// The reply to [`RedriveWorkflow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedrivenWorkflowView {
    /// The workflow.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub workflow: WorkflowId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Label>,
    /// How many tasks were redriven, also by an earlier try of the same request.
    pub redriven: u64,
    /// How many are dead or cancelled and stay so.
    pub refused: u64,
    /// Those, and why: the first 100 of them.
    pub refusals: Vec<RefusedTask>,
    /// How many tasks of the workflow are in which state now.
    pub counts: WorkflowCounts,
}
