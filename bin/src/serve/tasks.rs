//! `/v1/tasks`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use russet::wire::{
    CancelTask, DEFAULT_QUEUE, ItemResult, ListTasks, OneOrMany, OneOrResults, Page, RedriveTasks,
    RedrivenView, Results, SubmitTask, SubmittedView, TaskNowView, TaskView, WaitTask,
};
use russet_core::{QueueName, ResourceName, Resources, TaskId};
use serde::{Deserialize, Serialize};

use super::input::{Filter, Input, InputOrDefault, Named};
use super::refusal::Refusal;
use super::{App, explain};

type Reply<T> = Result<Json<T>, Refusal>;

// The documentation takes types without parameters.
type Submits = OneOrMany<SubmitTask>;
type Submitted = OneOrResults<Accepted>;

/// What was submitted, and what its submitter should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Accepted {
    /// The task.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// Whether it had been submitted before: nothing was changed.
    pub existing: bool,
    /// What may keep it from running, such as resources that no live worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Accepted {
    fn new(submitted: SubmittedView, warning: Option<String>) -> Self {
        Self {
            task: submitted.task,
            existing: submitted.existing,
            warnings: warning.into_iter().collect(),
        }
    }
}

/// One task, or many that stand each by themselves: `{"tasks": [...]}`. Many are answered by
/// one result for each, in their order.
#[utoipa::path(post, path = "/v1/tasks", tag = "tasks", request_body = Submits,
    responses(
        (status = 200, description = "It had been submitted before, or a result for each of many",
            body = Submitted),
        (status = 201, description = "It was submitted", body = Accepted), Refusal))]
pub(super) async fn submit(
    State(app): State<App>,
    Input(request): Input<Submits>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let needs = needs(&request);
    let warning = |at: usize| {
        let (queue, resources) = needs.get(&at)?;
        explain::warning(&app, queue, resources)
    };
    Ok(match app.api.submit(request).await? {
        OneOrResults::One(submitted) => {
            let status = match submitted.existing {
                true => StatusCode::OK,
                false => StatusCode::CREATED,
            };
            let accepted = Accepted::new(submitted, warning(0));
            (status, Json(OneOrResults::One(accepted)))
        }
        OneOrResults::Many(Results { results }) => {
            let results = results
                .into_iter()
                .enumerate()
                .map(|(at, result)| match result {
                    ItemResult::Done(submitted) => {
                        ItemResult::Done(Accepted::new(submitted, warning(at)))
                    }
                    ItemResult::Error(problem) => ItemResult::Error(problem),
                });
            let results = results.collect();
            (
                StatusCode::OK,
                Json(OneOrResults::Many(Results { results })),
            )
        }
    })
}

/// What the tasks of a request need, by their place, where they need anything.
fn needs(request: &Submits) -> BTreeMap<usize, (QueueName, Resources)> {
    let tasks = match request {
        OneOrMany::One(task) => std::slice::from_ref(&**task),
        OneOrMany::Many(tasks) => tasks,
    };
    let needs = tasks
        .iter()
        .enumerate()
        .filter_map(|(at, task)| Some((at, need(task)?)));
    needs.collect()
}

/// What a task needs, and in which queue; `None` when it needs nothing.
pub(super) fn need(task: &SubmitTask) -> Option<(QueueName, Resources)> {
    if task.resource_requirements.is_empty() {
        return None;
    }
    let queue = QueueName::new(task.queue.as_deref().unwrap_or(DEFAULT_QUEUE)).ok()?;
    let amounts = task.resource_requirements.iter();
    let named = amounts.map(|(name, n)| Some((ResourceName::new(name).ok()?, *n)));
    Some((queue, named.collect::<Option<_>>()?))
}

/// A page of tasks.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", params(ListTasks), responses(
    (status = 200, description = "A page", body = Page<TaskView>), Refusal))]
pub(super) async fn list(
    State(app): State<App>,
    Filter(request): Filter<ListTasks>,
) -> Reply<Page<TaskView>> {
    Ok(Json(app.api.list(request).await?))
}

/// One task.
#[utoipa::path(get, path = "/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task")), responses(
    (status = 200, description = "The task", body = TaskView), Refusal))]
pub(super) async fn get(State(app): State<App>, Named(id): Named<TaskId>) -> Reply<TaskView> {
    Ok(Json(app.api.get(id).await?))
}

/// The task when it has ended, or as it is when time is up.
#[utoipa::path(get, path = "/v1/tasks/{id}/wait", tag = "tasks",
    params(("id" = String, Path, description = "The task"), WaitTask), responses(
    (status = 200, description = "The task", body = TaskView), Refusal))]
pub(super) async fn wait(
    State(app): State<App>,
    Named(id): Named<TaskId>,
    Filter(request): Filter<WaitTask>,
) -> Reply<TaskView> {
    let task = tokio::select! {
        biased;
        task = app.api.wait(id, request) => task,
        () = app.stopping.wait() => app.api.get(id).await,
    };
    Ok(Json(task?))
}

/// Stops the task: at once when nobody holds it, else by asking its holder.
#[utoipa::path(post, path = "/v1/tasks/{id}/cancel", tag = "tasks",
    params(("id" = String, Path, description = "The task")),
    request_body(content = Option<CancelTask>), responses(
    (status = 200, description = "Where it is now", body = TaskNowView), Refusal))]
pub(super) async fn cancel(
    State(app): State<App>,
    Named(id): Named<TaskId>,
    InputOrDefault(request): InputOrDefault<CancelTask>,
) -> Reply<TaskNowView> {
    Ok(Json(app.api.cancel(id, request).await?))
}

/// Gives a dead task a new life.
#[utoipa::path(post, path = "/v1/tasks/{id}/redrive", tag = "tasks",
    params(("id" = String, Path, description = "The task")), responses(
    (status = 200, description = "Where it is now", body = TaskNowView), Refusal))]
pub(super) async fn redrive(
    State(app): State<App>,
    Named(id): Named<TaskId>,
) -> Reply<TaskNowView> {
    Ok(Json(app.api.redrive(id).await?))
}

/// Gives a page of dead tasks a new life; `next` says where to go on.
#[utoipa::path(post, path = "/v1/tasks/redrive", tag = "tasks",
    request_body(content = Option<RedriveTasks>), responses(
    (status = 200, description = "How many", body = RedrivenView), Refusal))]
pub(super) async fn redrive_all(
    State(app): State<App>,
    InputOrDefault(request): InputOrDefault<RedriveTasks>,
) -> Reply<RedrivenView> {
    Ok(Json(app.api.redrive_each(request).await?))
}

/// Forgets an ended task before its retention is over.
#[utoipa::path(post, path = "/v1/tasks/{id}/purge", tag = "tasks",
    params(("id" = String, Path, description = "The task")), responses(
    (status = 200, description = "What it was", body = TaskNowView), Refusal))]
pub(super) async fn purge(State(app): State<App>, Named(id): Named<TaskId>) -> Reply<TaskNowView> {
    Ok(Json(app.api.purge(id).await?))
}
