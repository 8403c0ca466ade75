//! Commands to many tasks at once, a page at a time.

use russet_core::{Rejection, Status, TaskId};
use russet_engine::Listing;
use serde::{Deserialize, Serialize};

use super::ListTasks;
use crate::limits;

/// The body of `POST /v1/tasks/cancel`: cancels tasks that have not ended, `all` of them or those
/// of a `queue`. The newest go first, so that none starts because another was cancelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelTasks {
    /// `true`: those of every queue. Needed where no `queue` is named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only those of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only those in this state: `blocked`, `scheduled`, `queued` or `running`. When it is absent
    /// ended tasks are looked at, too, and passed over: name it where many are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why, for people to read; kept as the last error of each task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Go on behind this task: the `next` of the reply before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most tasks to look at: 1 to 1,000, which is meant when it is absent. Fewer are when they
    /// carry more than 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The body of `POST /v1/tasks/purge`: forgets ended tasks before their retention is over, `all` of
/// them or those of a `queue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PurgeTasks {
    /// `true`: those of every queue. Needed where no `queue` is named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only those of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only those in this state: `succeeded`, `dead` or `cancelled`. When it is absent tasks that
    /// have not ended are looked at, too, and passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Go on behind this task: the `next` of the reply before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most tasks to look at: 1 to 1,000, which is meant when it is absent. Fewer are when they
    /// carry more than 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The body of `POST /v1/tasks/redrive`: gives dead tasks a new life, `all` of them or those of
/// a `queue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedriveTasks {
    /// `true`: those of every queue. Needed where no `queue` is named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only those of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Go on behind this task: the `next` of the reply before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most tasks to look at: 1 to 1,000, which is meant when it is absent. Fewer are when they
    /// carry more than 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// A text that names this request, as in [`RedriveTask`](super::RedriveTask).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl CancelTasks {
    /// The page of tasks that is meant.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, and a filter that cannot be.
    pub fn listing(&self) -> Result<Listing, Rejection> {
        named(self.all, self.queue.as_ref(), "live", "cancel")?;
        among(self.status.as_deref(), |status| !status.is_terminal())?;
        ListTasks {
            queue: self.queue.clone(),
            status: self.status.clone(),
            after: self.after.clone(),
            order: newest(),
            ..page(self.limit)
        }
        .into_listing()
    }
}

impl PurgeTasks {
    /// The page of tasks that is meant.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, and a filter that cannot be.
    pub fn listing(&self) -> Result<Listing, Rejection> {
        named(self.all, self.queue.as_ref(), "ended", "purge")?;
        among(self.status.as_deref(), Status::is_terminal)?;
        ListTasks {
            queue: self.queue.clone(),
            status: self.status.clone(),
            after: self.after.clone(),
            order: newest(),
            ..page(self.limit)
        }
        .into_listing()
    }
}

impl RedriveTasks {
    /// The page of tasks that is meant.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, and a filter that cannot be.
    pub fn listing(&self) -> Result<Listing, Rejection> {
        named(self.all, self.queue.as_ref(), "dead", "redrive")?;
        ListTasks {
            queue: self.queue.clone(),
            status: Some(Status::Dead.as_str().to_owned()),
            after: self.after.clone(),
            ..page(self.limit)
        }
        .into_listing()
    }
}

fn page(limit: Option<usize>) -> ListTasks {
    ListTasks {
        limit: Some(limit.unwrap_or(limits::PAGE_TASKS_MAX)),
        ..ListTasks::default()
    }
}

/// Newest first: what is submitted meanwhile is not waited for, and children come before their
/// parents.
fn newest() -> Option<String> {
    Some("newest".to_owned())
}

/// Refuses a request that does not say which tasks it means: so much is not done by a body that
/// was forgotten.
fn named(all: bool, queue: Option<&String>, which: &str, verb: &str) -> Result<(), Rejection> {
    if all || queue.is_some() {
        return Ok(());
    }
    let limit = format!(
        r#"{{"all": true}} for those of every queue, {{"queue": NAME}} for those of one, or POST /v1/tasks/ID/{verb} for one task"#
    );
    let problem = format!("which {which} tasks to {verb} is not said");
    Err(Rejection::invalid("all", problem, limit))
}

/// Refuses a state that is none of those which `may` be meant.
fn among(status: Option<&str>, may: impl Fn(Status) -> bool) -> Result<(), Rejection> {
    let mut meant = Status::ALL.into_iter().filter(|known| may(*known));
    let Some(text) = status.filter(|text| !meant.clone().any(|known| known.as_str() == *text))
    else {
        return Ok(());
    };
    let first = meant.next().map_or("", Status::as_str).to_owned();
    let names = meant.fold(first, |names, known| format!("{names}, {known}"));
    let problem = format!("{text:?} is none of the states that are meant");
    Err(Rejection::invalid("status", problem, names))
}

/// The reply to [`CancelTasks`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelledView {
    /// How many tasks were cancelled.
    pub cancelled: u64,
    /// How many are running: their workers are asked to stop.
    pub asked: u64,
    /// How many could not be, for example because they ended meanwhile.
    pub refused: u64,
    /// Those, and why: the first 100 of them.
    #[serde(default)]
    pub refusals: Vec<RefusedTask>,
    /// Where to go on: to be sent as `after`; absent when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub next: Option<TaskId>,
}

/// The reply to [`PurgeTasks`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PurgedView {
    /// How many tasks were purged. One that others still depend on is gone when they have ended.
    pub purged: u64,
    /// How many could not be, for example because they were redriven meanwhile.
    pub refused: u64,
    /// Those, and why: the first 100 of them.
    #[serde(default)]
    pub refusals: Vec<RefusedTask>,
    /// Where to go on: to be sent as `after`; absent when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub next: Option<TaskId>,
}

/// The reply to [`RedriveTasks`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedrivenView {
    /// How many tasks were redriven. Those that an earlier try of the same request redrove are
    /// not counted, unless they are dead again.
    pub redriven: u64,
    /// How many could not be now, for example because others are still told of their end, or
    /// because their idempotency key names another task.
    pub refused: u64,
    /// Those, and why: the first 100 of them.
    #[serde(default)]
    pub refusals: Vec<RefusedTask>,
    /// Where to go on: to be sent as `after`; absent when all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub next: Option<TaskId>,
}

/// A task that stays as it is, although it was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedTask {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// What it is called in its workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What programs tell reasons apart by: the `code` of a problem.
    pub code: String,
    /// Why it stays as it is, and what to do about it.
    pub detail: String,
}

/// Keeps the first refusals of several pages.
pub(crate) fn keep(kept: &mut Vec<RefusedTask>, more: Vec<RefusedTask>) {
    let room = limits::REFUSALS.saturating_sub(kept.len());
    kept.extend(more.into_iter().take(room));
}
