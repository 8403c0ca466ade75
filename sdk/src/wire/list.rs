use std::str::FromStr;

use russet_core::policy::Fingerprint;
use russet_core::{Rejection, Status, TaskId, WorkflowId};
use russet_engine::{Listing, Order};
use serde::{Deserialize, Serialize};

use super::queue_name;
use crate::limits;

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// Where the next page starts: to be sent as `after`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub next: Option<TaskId>,
}

/// Which tasks to list: the query of `GET /v1/tasks`. Filters that are absent let every task
/// pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ListTasks {
    /// Tasks of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Tasks in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(schema_with = super::status_schema))]
    pub status: Option<String>,
    /// Tasks of this workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// Go on behind this task: the `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most tasks on the page: 1 to 1,000; 100 when absent. A page of more than 16 MiB ends
    /// early, with a `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `oldest` (when absent) or `newest` first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

impl ListTasks {
    /// The listing as the engine takes it.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with the field that cannot be.
    pub fn into_listing(self) -> Result<Listing, Rejection> {
        let limit = self.limit.unwrap_or(limits::PAGE_TASKS);
        if !(1..=limits::PAGE_TASKS_MAX).contains(&limit) {
            let problem = format!("{limit} is out of range");
            let range = format!("1 to {}", limits::PAGE_TASKS_MAX);
            return Err(Rejection::invalid("limit", problem, range));
        }
        Ok(Listing {
            queue: self.queue.as_deref().map(queue_name).transpose()?,
            status: self.status.as_deref().map(status).transpose()?,
            workflow: optional::<WorkflowId>("workflow_id", self.workflow_id.as_deref())?,
            after: optional::<TaskId>("after", self.after.as_deref())?,
            limit,
            order: self.order.as_deref().map_or(Ok(Order::Oldest), order)?,
        })
    }
}

fn optional<T: FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, Rejection> {
    text.map(|text| id(field, text)).transpose()
}

/// An id from a path or a query; `field` is its name in errors.
///
/// # Errors
/// [`Rejection::Invalid`] with that field.
pub fn id<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Rejection> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        let limit = "26 characters of 0-9 and a-z without i, l, o and u";
        Rejection::invalid(field, format!("{shown:?} is not an id"), limit)
    })
}

fn status(text: &str) -> Result<Status, Rejection> {
    let known = Status::ALL.into_iter().find(|known| known.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<_> = Status::ALL.iter().map(|known| known.as_str()).collect();
        let problem = format!("{text:?} is not a status");
        Rejection::invalid("status", problem, names.join(", "))
    })
}

fn order(text: &str) -> Result<Order, Rejection> {
    match text {
        "oldest" => Ok(Order::Oldest),
        "newest" => Ok(Order::Newest),
        other => {
            let problem = format!("{other:?} is not an order");
            Err(Rejection::invalid("order", problem, "oldest or newest"))
        }
    }
}

/// The query of `GET /v1/tasks/{id}/wait`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct WaitTask {
    /// How long to wait for the end of the task: 0 to 60,000; 60,000 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The body of `POST /v1/tasks/{id}/redrive`; it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedriveTask {
    /// A text that names this request, so that it can be sent again when its answer was lost:
    /// a task whose newest redrive was by the same text is not redriven once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The task is meant also when somebody cancelled it. One that was cancelled because of a
    /// dependency always is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// The number that a request's identity stands for in `core`.
///
/// # Errors
/// [`Rejection::Invalid`] of the field `request_id`.
pub(crate) fn request_number(request_id: Option<&str>) -> Result<Option<u64>, Rejection> {
    let Some(text) = request_id else {
        return Ok(None);
    };
    if text.is_empty() || text.len() > limits::REQUEST_ID_BYTES {
        let limit = format!("1 to {} bytes", limits::REQUEST_ID_BYTES);
        let problem = format!("has {} bytes", text.len());
        return Err(Rejection::invalid("request_id", problem, limit));
    }
    let mut hash = Fingerprint::new();
    hash.add(text.as_bytes());
    let hash = hash.finish();
    Ok(Some((hash ^ (hash >> 64)) as u64))
}
