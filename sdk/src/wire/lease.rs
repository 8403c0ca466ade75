use std::collections::BTreeMap;
use std::time::Duration;

use russet_core::command::{Complete, Extend, Fail, Release};
use russet_core::policy::Fingerprint;
use russet_core::{
    ErrorKind, LeaseId, LeaseTask, Millis, Progress, QueueName, Rejection, TaskId, Timestamp,
    WorkerId,
};
use russet_engine::Extended;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::names::resolve;
use super::new_task::{refused, resources};
use super::new_workflow::nth_id;
use super::{Batched, Json, ProgressView, SubmitTask, TaskView, Time};
use crate::limits;

/// Asks for ready tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaseRequest {
    /// The queues that the worker serves.
    pub queues: Vec<String>,
    /// What the worker calls itself, for people to read.
    pub worker: String,
    /// The resources that it has free; when absent it does not count them and takes every task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<BTreeMap<String, u64>>,
    /// Most tasks to grant: 1 (when absent) to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// How long the leases last without a heartbeat; as each task says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_ms: Option<u64>,
    /// How long to wait for the first task: 0 (when absent) to 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Tasks that were leased; each has its `lease_id`, its `attempt` and what the handler needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaseReply {
    /// The tasks; empty when there was none in time.
    pub tasks: Vec<TaskView>,
    /// The server's time when it answered: until a task's `lease_expires_at` so much of its lease is
    /// left, whatever the worker's own clock says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Time>,
}

impl LeaseReply {
    /// How much of the task's lease was left when the server answered, if it said so.
    pub(crate) fn left(&self, task: &TaskView) -> Option<Duration> {
        let (now, until) = self.now.zip(task.lease_expires_at)?;
        Some(Timestamp::from(until).since(now.into()).into())
    }
}

/// A heartbeat: keeps a lease alive and reports progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExtendLease {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// The lease that is held.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub lease_id: LeaseId,
    /// How long the lease lasts from now on. When absent it lasts as the task says, and never
    /// shorter than it already does: whoever leased for longer asks for as long here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_ms: Option<u64>,
    /// What there is to say about progress; what is absent stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// The reply to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExtendedView {
    /// When the lease expires now.
    pub lease_expires_at: Time,
    /// The holder is asked to stop.
    pub cancel_requested: bool,
}

/// Finishes a task well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompleteLease {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// The lease that is held.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub lease_id: LeaseId,
    /// What the handler returned: any JSON up to 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// Tasks to submit in the same step, at most 100, in the same partition and workflow;
    /// `depends_on` names others of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_ups: Vec<SubmitTask>,
    /// What there is to say about progress; what is absent stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Reports a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailLease {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// The lease that is held.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub lease_id: LeaseId,
    /// What went wrong; cut at 4 KiB.
    pub message: String,
    /// `failed` (when absent), `final` (trying again is of no use), `panicked` or `timed_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub kind: Option<ErrorKind>,
    /// The worker's own wish for the backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What there is to say about progress; what is absent stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Gives a task back without using a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseLease {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// The lease that is held.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub lease_id: LeaseId,
    /// How long to snooze; it is ready at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What there is to say about progress; what is absent stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// The reply to a worker that signs off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignOffReply {
    /// Whether the node knew the worker: one that it does not know is as good as signed off.
    pub known: bool,
}

/// What a holder says about its progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgressReport {
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// For people to read, up to 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a later attempt can go on: any JSON up to 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Json>,
}

impl Batched for ExtendLease {}
impl Batched for CompleteLease {}
impl Batched for FailLease {}
impl Batched for ReleaseLease {}

impl LeaseRequest {
    /// The request as the engine takes it.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with the field that cannot be.
    pub fn into_request(self) -> Result<russet_engine::LeaseRequest, Rejection> {
        let queues = self.queues.iter().map(QueueName::new);
        let queues = queues.collect::<Result<_, _>>();
        let wait_ms = self.wait_ms.unwrap_or(0);
        if wait_ms > limits::LEASE_WAIT_MS {
            return Err(Rejection::invalid(
                "wait_ms",
                format!("{wait_ms} is too long: ask again afterwards"),
                format!("at most {}", limits::LEASE_WAIT_MS),
            ));
        }
        let capacity = self.capacity.map(|amounts| resources("capacity", amounts));
        Ok(russet_engine::LeaseRequest {
            queues: queues.map_err(|e| refused("queues", e))?,
            worker: WorkerId(SmolStr::from(self.worker)),
            capacity: capacity.transpose()?,
            max: self.max.unwrap_or(1),
            duration: self.visibility_timeout_ms.map(Millis::new),
            wait: Duration::from_millis(wait_ms),
        })
    }
}

impl From<ExtendLease> for Extend {
    fn from(wire: ExtendLease) -> Self {
        Self {
            task: wire.task,
            lease: wire.lease_id,
            duration: wire.visibility_timeout_ms.map(Millis::new),
            progress: wire.progress.map(Progress::from),
        }
    }
}

impl From<Extended> for ExtendedView {
    fn from(extended: Extended) -> Self {
        Self {
            lease_expires_at: extended.expires_at.into(),
            cancel_requested: extended.cancel_requested,
        }
    }
}

impl CompleteLease {
    /// The completion as `core` takes it. Follow-up tasks without an id get one that follows
    /// from the lease, so that a repeated completion names the same tasks.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with the field that cannot be.
    pub fn into_complete(self, partitions: u16) -> Result<Complete, Rejection> {
        self.check_keys(partitions)?;
        let mut hash = Fingerprint::new();
        hash.add(&self.lease_id.as_u128().to_be_bytes());
        let low = hash.finish() as u64;
        let own: Vec<_> = self.follow_ups.iter().map(|task| task.id).collect();
        let id = |at: usize| own[at].unwrap_or(nth_id(self.task.as_u128(), low, at));
        Ok(Complete {
            task: self.task,
            lease: self.lease_id,
            result: self.result.map(Into::into),
            follow_ups: resolve("follow_ups", self.follow_ups, id)?,
            progress: self.progress.map(Progress::from),
        })
    }

    /// A key is looked up in the partition that it chooses, and follow-up tasks are committed in
    /// that of their task: with several partitions nobody would see that they share a key.
    fn check_keys(&self, partitions: u16) -> Result<(), Rejection> {
        let keyed = |task: &SubmitTask| task.idempotency_key.is_some();
        match self.follow_ups.iter().position(keyed) {
            Some(at) if partitions > 1 => Err(Rejection::invalid(
                format!("follow_ups[{at}].idempotency_key"),
                format!(
                    "names nothing here: this store has {partitions} partitions, and follow-ups are kept beside their task"
                ),
                "no key, since a completion is committed once, or a submission by the handler",
            )),
            _ => Ok(()),
        }
    }
}

impl From<FailLease> for Fail {
    fn from(wire: FailLease) -> Self {
        Self {
            task: wire.task,
            lease: wire.lease_id,
            kind: wire.kind.unwrap_or(ErrorKind::Failed),
            message: wire.message,
            retry_after: wire.retry_after_ms.map(Millis::new),
            progress: wire.progress.map(Progress::from),
            random: 0,
        }
    }
}

impl From<ReleaseLease> for Release {
    fn from(wire: ReleaseLease) -> Self {
        Self {
            task: wire.task,
            lease: wire.lease_id,
            delay: wire.delay_ms.map(Millis::new),
            progress: wire.progress.map(Progress::from),
        }
    }
}

impl From<ProgressReport> for Progress {
    fn from(report: ProgressReport) -> Self {
        Self {
            percent: report.percent,
            message: report.message,
            checkpoint: report.checkpoint.map(Into::into),
        }
    }
}

impl From<ProgressReport> for ProgressView {
    fn from(report: ProgressReport) -> Self {
        Self {
            percent: report.percent,
            message: report.message,
            checkpoint: report.checkpoint,
        }
    }
}

/// The name of a worker.
///
/// # Errors
/// [`Rejection::Invalid`] with how long it may be.
pub fn worker_name(text: &str) -> Result<WorkerId, Rejection> {
    let worker = WorkerId(SmolStr::from(text));
    LeaseTask::check(&worker, None)?;
    Ok(worker)
}
