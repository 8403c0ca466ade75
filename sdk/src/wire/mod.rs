//! The public JSON: what `/v1` speaks, and what [`Client`](crate::Client) takes and returns.
//!
//! Requests are objects, and refuse fields that they do not know; replies may grow. Times are RFC 3339 with
//! milliseconds, durations are milliseconds with `_ms` in their name, ids are texts of 26
//! characters. Payloads, results, checkpoints and metadata are JSON that nobody but their
//! owner looks into.
//!
//! Each request turns into what the engine takes by `into_…`, which names the field of
//! whatever it refuses; each view is made from what the engine returns. [`Problem`] is the
//! one shape of every refusal. The HTTP server is [`Api`](crate::Api) behind routes.

mod batch;
mod bulk;
mod cancel;
mod either;
mod event;
mod info;
mod json;
mod lease;
mod list;
mod names;
mod new_task;
mod new_workflow;
mod object;
mod problem;
mod queue;
mod redrive;
#[cfg(feature = "openapi")]
mod schema;
mod submit;
mod task;
mod time;
mod weight;
mod wording;
mod workflow;

use serde::de::DeserializeOwned;

pub(crate) use batch::BATCH_SIZE;
pub use batch::{Batched, ItemResult, OneOrMany, OneOrResults, Results};
pub(crate) use bulk::keep;
pub use bulk::{
    CancelTasks, CancelledView, PurgeTasks, PurgedView, RedriveTasks, RedrivenView, RefusedTask,
};
pub use cancel::{CancelTask, CancelWorkflow, CancelledWorkflowView};
pub use event::{EventView, MissedReason, MissedView};
pub use info::Info;
pub use json::Json;
pub use lease::{
    CompleteLease, ExtendLease, ExtendedView, FailLease, LeaseReply, LeaseRequest, ProgressReport,
    ReleaseLease, SignOffReply, worker_name,
};
pub(crate) use list::request_number;
pub use list::{ListTasks, Page, RedriveTask, WaitTask, id};
pub use new_task::{DEFAULT_QUEUE, refused};
pub use new_workflow::NamedWorkflow;
use object::objects;
pub use problem::{Problem, ProblemDetails};
pub use queue::{
    ConfigureQueue, LaneView, QueueConfigView, QueueView, QueuesReply, StatusCounts, queue_name,
};
pub use redrive::{RedriveWorkflow, RedrivenWorkflowView};
#[cfg(feature = "openapi")]
pub use schema::status_schema;
pub use submit::{DependsOn, RetryView, SubmitTask, SubmittedView, WindowView};
pub use task::{DependencyView, LastError, ProgressView, TaskNowView, TaskView};
pub use time::{Time, TimeError};
pub(crate) use weight::Weighed;
pub use workflow::{
    SubmitWorkflow, SubmittedWorkflowView, TaskDefaults, WorkflowCounts, WorkflowStatus,
    WorkflowView,
};

objects!(
    CancelTask,
    CancelTasks,
    CancelWorkflow,
    CompleteLease,
    ConfigureQueue,
    ExtendLease,
    FailLease,
    LeaseRequest,
    ProgressReport,
    PurgeTasks,
    RedriveTask,
    RedriveTasks,
    RedriveWorkflow,
    ReleaseLease,
    RetryView,
    SubmitTask,
    SubmitWorkflow,
    TaskDefaults,
);

/// Reads JSON quickly: its text is checked once as a whole, and not each part by itself.
///
/// # Errors
/// What is wrong, without the field where it is.
pub(crate) fn from_json_fast<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        // It says where it is not text.
        Err(_) => serde_json::from_slice(bytes),
    }
}

/// Reads a request from a body; the problem names the field that cannot be. Only what is refused
/// is read once more, to find that field.
///
/// # Errors
/// A problem of status 400 when the body is not JSON, of 422 when it is not such a request.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if let Ok(value) = from_json_fast(body) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json);
    let value = value.map_err(|error| Problem::unreadable(&error))?;
    match json.end() {
        Ok(()) => Ok(value),
        Err(error) => {
            let detail = format!("the body is not one JSON value: {error}");
            Err(Problem::new("malformed", 400, detail))
        }
    }
}

#[cfg(test)]
mod tests;
