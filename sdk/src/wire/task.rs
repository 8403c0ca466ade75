use std::collections::BTreeMap;

use russet_core::{
    Dependency, DependencyOn, ErrorKind, IdempotencyKey, LeaseId, PartitionKey, Progress,
    QueueName, ResourceName, Resources, Status, Task, TaskError, TaskId, TaskType, WorkflowId,
};
use russet_engine::{EngineError, Scheduler, TaskNow};
use serde::{Deserialize, Serialize};

use super::{Json, Time};

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskView {
    /// Its identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: TaskId,
    /// What kind of work it is.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: TaskType,
    /// The queue that it waits in.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub queue: QueueName,
    /// What the handler gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// Where it is in its life: `blocked`, `scheduled`, `queued`, `running`, `succeeded`,
    /// `dead` or `cancelled`.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::status_schema))]
    pub status: Status,
    /// 0 to 9, 9 most urgent.
    pub priority: u8,
    /// Failures that were followed by another try, since it was submitted or redriven.
    pub retry_count: u32,
    /// Most further tries after a first failure.
    pub max_retries: u32,
    /// The fencing token: it only grows, with each lease by 1 as long as its store has forgotten nothing.
    pub attempt: u64,
    /// When it was submitted.
    pub created_at: Time,
    /// It does not start before: its delay, or the end of its backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Time>,
    /// When its newest attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// It is dead-lettered when nobody has ever started it by then; once it was started this
    /// says nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// How long a lease lasts without a heartbeat.
    pub visibility_timeout_ms: u64,
    /// The current lease, while it is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub lease_id: Option<LeaseId>,
    /// When the current lease expires, while it is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Time>,
    /// Somebody wants it cancelled, and its holder has not stopped yet.
    pub cancel_requested: bool,
    /// How long one attempt may take, heartbeats or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What it waits for, or waited for.
    pub dependencies: Vec<DependencyView>,
    /// What a worker must have free to hold it.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub resource_requirements: BTreeMap<ResourceName, u64>,
    /// The key that names it, when its submitter gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The text that chose its partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub partition_key: Option<PartitionKey>,
    /// The workflow that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workflow_id: Option<WorkflowId>,
    /// What its submitter keeps beside it: a JSON object. A task that was submitted with a
    /// name has it here as `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// What its handler returned; a JSON string where that was not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// Why the newest failed attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// What its handler last said about its progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
}

/// One task that another waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependencyView {
    /// The task that is waited for.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// Which end of it is waited for: `success`, `completion` or `failure`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub on: DependencyOn,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastError {
    /// What sort of failure it was: `failed`, `final`, `panicked`, `lease_expired`,
    /// `timed_out`, `expired`, `dependency_unsatisfied`, `cancelled`, or `not_needed` for a task
    /// that was there for a failure that did not happen.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: ErrorKind,
    /// What the worker said.
    pub message: String,
    /// The attempt that failed; 0 when none was started.
    pub attempt: u64,
    /// When.
    pub at: Time,
}

/// What a handler says about its progress; kept from attempt to attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgressView {
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// For people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a later attempt can go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Json>,
}

/// Where a task is after a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskNowView {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// Where it is in its life.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::status_schema))]
    pub status: Status,
    /// Its newest attempt.
    pub attempt: u64,
    /// When it is due, if it is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Time>,
    /// A cancellation waits for the task's holder.
    pub cancel_requested: bool,
    /// Follow-up tasks that were committed with a completion, in the order of the request.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub follow_ups: Vec<TaskId>,
    /// What may keep those from running, such as resources that no live worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl TaskView {
    /// The task as everybody sees it, waiting for `dependencies`.
    pub fn new(task: &Task, dependencies: &[Dependency]) -> Self {
        let lease = task.lease.as_deref();
        let lease = lease.filter(|_| task.status == Status::Running);
        Self {
            id: task.id,
            kind: task.kind.clone(),
            queue: task.queue.clone(),
            payload: json(&task.payload),
            status: task.status,
            priority: task.priority,
            retry_count: task.retry_count,
            max_retries: task.retry.max_retries,
            attempt: task.attempt,
            created_at: task.created_at.into(),
            scheduled_at: task.scheduled_at.map(Time::from),
            started_at: task.started_at.map(Time::from),
            completed_at: task.completed_at.map(Time::from),
            expires_at: task.expires_at.map(Time::from),
            visibility_timeout_ms: task.lease_duration.as_millis(),
            lease_id: lease.map(|lease| lease.id),
            lease_expires_at: lease.map(|lease| lease.expires_at.into()),
            cancel_requested: task.cancel_requested,
            timeout_ms: task.timeout.map(|timeout| timeout.as_millis()),
            dependencies: dependencies.iter().map(DependencyView::from).collect(),
            resource_requirements: amounts(&task.resources),
            idempotency_key: task.idempotency.as_ref().map(|known| known.key.clone()),
            partition_key: task.partition_key.as_deref().cloned(),
            workflow_id: task.workflow,
            metadata: json(&task.metadata),
            result: task
                .result
                .as_deref()
                .map(|result| Json::from_bytes(result)),
            last_error: task.last_error.as_deref().map(LastError::from),
            progress: task.progress.as_deref().map(ProgressView::from),
        }
    }

    /// The task as everybody sees it, with all of its dependencies; long lists of them are
    /// loaded.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn load(scheduler: &Scheduler, task: &Task) -> Result<Self, EngineError> {
        let inline = &task.dependencies.inline;
        if inline.len() == task.dependencies.total as usize {
            return Ok(Self::new(task, inline));
        }
        Ok(Self::new(task, &scheduler.dependencies(task).await?))
    }

    /// The name that it was submitted with, from its metadata.
    pub fn name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        self.metadata.as_ref()?.parse::<Named>().ok()?.name
    }

    /// Why it is as it is: of a cancelled task what was said of that, and not how an attempt
    /// failed before.
    pub fn cause(&self) -> Option<&LastError> {
        let error = self.last_error.as_ref();
        error.filter(|error| error.kind.explains(self.status))
    }

    /// Whether the task has ended.
    pub fn is_terminal(&self) -> bool {
        self.status.is_terminal()
    }
}

/// Bytes that are there, as JSON.
fn json(bytes: &[u8]) -> Option<Json> {
    (!bytes.is_empty()).then(|| Json::from_bytes(bytes))
}

pub(super) fn amounts(resources: &Resources) -> BTreeMap<ResourceName, u64> {
    resources
        .iter()
        .map(|(name, n)| (name.clone(), n))
        .collect()
}

impl From<&Dependency> for DependencyView {
    fn from(edge: &Dependency) -> Self {
        Self {
            task: edge.task,
            on: edge.on,
        }
    }
}

impl From<&TaskError> for LastError {
    fn from(error: &TaskError) -> Self {
        Self {
            kind: error.kind,
            message: error.message.clone(),
            attempt: error.attempt,
            at: error.at.into(),
        }
    }
}

impl From<&Progress> for ProgressView {
    fn from(progress: &Progress) -> Self {
        Self {
            percent: progress.percent,
            message: progress.message.clone(),
            checkpoint: progress.checkpoint.as_deref().map(Json::from_bytes),
        }
    }
}

impl From<TaskNow> for TaskNowView {
    fn from(now: TaskNow) -> Self {
        Self {
            task: now.task,
            status: now.status,
            attempt: now.attempt,
            scheduled_at: now.scheduled_at.map(Time::from),
            cancel_requested: now.cancel_requested,
            follow_ups: now.follow_ups,
            warnings: Vec::new(),
        }
    }
}
