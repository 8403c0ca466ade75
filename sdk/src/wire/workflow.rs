use std::collections::BTreeMap;

use russet_core::{IdempotencyKey, IfUnsatisfied, Label, TaskId, Workflow, WorkflowId};
use serde::{Deserialize, Serialize};

use super::submit::{RetryView, SubmitTask, WindowView};
use super::{Json, Page, TaskView, Time};

/// Tasks to be submitted together: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitWorkflow {
    /// Its identity, chosen by the submitter so that a submission can be repeated safely;
    /// drawn by the server when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub id: Option<WorkflowId>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A key that names this submission, as in a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How long the key names the submission; a day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_window_ms: Option<WindowView>,
    /// A text that chooses the partition of all its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// What tasks have that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<TaskDefaults>,
    /// The tasks, each with a name of its own; `depends_on` names others of them.
    pub tasks: Vec<SubmitTask>,
}

/// What the tasks of a workflow have that do not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskDefaults {
    /// See [`SubmitTask::kind`].
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// See [`SubmitTask::queue`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// See [`SubmitTask::priority`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// See [`SubmitTask::max_retries`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// See [`SubmitTask::retry`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryView>,
    /// See [`SubmitTask::expires_in_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// See [`SubmitTask::visibility_timeout_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_ms: Option<u64>,
    /// See [`SubmitTask::timeout_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// See [`SubmitTask::retention_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// See [`SubmitTask::if_unsatisfied`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(schema_with = super::schema::if_unsatisfied_of_defaults)
    )]
    pub if_unsatisfied: Option<IfUnsatisfied>,
    /// See [`SubmitTask::resource_requirements`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_requirements: BTreeMap<String, u64>,
    /// See [`SubmitTask::metadata`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
}

impl TaskDefaults {
    /// Gives `task` what it does not say itself.
    pub(super) fn apply(&self, task: &mut SubmitTask) {
        fn fill<T: Clone>(own: &mut Option<T>, default: &Option<T>) {
            if own.is_none() {
                own.clone_from(default);
            }
        }
        if let Some(kind) = self.kind.as_ref().filter(|_| task.kind.is_empty()) {
            task.kind.clone_from(kind);
        }
        fill(&mut task.queue, &self.queue);
        fill(&mut task.priority, &self.priority);
        fill(&mut task.max_retries, &self.max_retries);
        fill(&mut task.retry, &self.retry);
        if task.expires_at.is_none() {
            fill(&mut task.expires_in_ms, &self.expires_in_ms);
        }
        fill(&mut task.visibility_timeout_ms, &self.visibility_timeout_ms);
        fill(&mut task.timeout_ms, &self.timeout_ms);
        fill(&mut task.retention_ms, &self.retention_ms);
        fill(&mut task.if_unsatisfied, &self.if_unsatisfied);
        if task.resource_requirements.is_empty() {
            task.resource_requirements
                .clone_from(&self.resource_requirements);
        }
        fill(&mut task.metadata, &self.metadata);
    }
}

/// What was submitted, and what its submitter should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmittedWorkflowView {
    /// The workflow.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub workflow: WorkflowId,
    /// Its tasks by name.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, String>))]
    pub tasks: BTreeMap<String, TaskId>,
    /// Whether it had been submitted before: nothing was changed.
    pub existing: bool,
    /// What may keep tasks from running, such as resources that no live worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Where a workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WorkflowStatus {
    /// A task has not ended.
    Running,
    /// All tasks succeeded.
    Succeeded,
    /// All tasks ended, at least one of them dead.
    Failed,
    /// All tasks ended, none of them dead, at least one of them cancelled.
    Cancelled,
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkflowView {
    /// Its identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: WorkflowId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Label>,
    /// Where it is.
    pub status: WorkflowStatus,
    /// When it was submitted.
    pub created_at: Time,
    /// When its last task ended; absent while one is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// The key that names it, when its submitter gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub idempotency_key: Option<IdempotencyKey>,
    /// How many of its tasks are in which state.
    pub counts: WorkflowCounts,
    /// A page of its tasks.
    pub tasks: Page<TaskView>,
}

/// How many tasks of a workflow are in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkflowCounts {
    /// All of them, follow-ups included.
    pub total: u32,
    /// Those that have not ended.
    pub live: u32,
    /// Those that succeeded.
    pub succeeded: u32,
    /// Those that are dead.
    pub dead: u32,
    /// Those that were cancelled.
    pub cancelled: u32,
    /// Those of the cancelled that were there for a failure that did not happen.
    #[serde(default)]
    pub not_needed: u32,
    /// Those that ended and are no longer kept.
    pub purged: u32,
}

impl WorkflowView {
    /// The workflow as everybody sees it, with a page of its tasks.
    pub fn new(workflow: &Workflow, tasks: Page<TaskView>) -> Self {
        Self {
            id: workflow.id,
            name: workflow.name.clone(),
            status: status(workflow),
            created_at: workflow.created_at.into(),
            completed_at: workflow.completed_at.map(Time::from),
            idempotency_key: workflow.idempotency.as_ref().map(|known| known.key.clone()),
            counts: workflow.into(),
            tasks,
        }
    }
}

impl From<&Workflow> for WorkflowCounts {
    fn from(workflow: &Workflow) -> Self {
        Self {
            total: workflow.tasks,
            live: workflow.live(),
            succeeded: workflow.succeeded,
            dead: workflow.dead,
            cancelled: workflow.cancelled,
            not_needed: workflow.not_needed,
            purged: workflow.purged,
        }
    }
}

fn status(workflow: &Workflow) -> WorkflowStatus {
    if workflow.live() > 0 {
        WorkflowStatus::Running
    } else if workflow.dead > 0 {
        WorkflowStatus::Failed
    } else if workflow.cancelled > workflow.not_needed {
        WorkflowStatus::Cancelled
    } else {
        WorkflowStatus::Succeeded
    }
}
