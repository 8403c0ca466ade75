//! `/v1/tasks`

use axum::extract::State;
use axum::http::StatusCode;
use russet::wire::{
    CancelTask, CancelTasks, CancelledView, ListTasks, OneOrMany, OneOrResults, Page, PurgeTasks,
    PurgedView, RedriveTask, RedriveTasks, RedrivenView, SubmitTask, SubmittedView, TaskNowView,
    TaskView, WaitTask,
};
use russet_core::TaskId;

use super::App;
use super::input::{Filter, Input, InputOrDefault, KeyHeader, Named};
use super::refusal::Refusal;
use super::reply::{Each, Json};

type Reply<T> = Result<Json<T>, Refusal>;

// The documentation takes types without parameters.
type Submits = OneOrMany<SubmitTask>;
type Submitted = OneOrResults<SubmittedView>;

/// One task, or many that stand each by themselves: `{"tasks": [...]}`. Many are answered by
/// one result for each, in their order; one that cannot be is refused alone.
#[utoipa::path(post, path = "/v1/tasks", tag = "tasks", request_body = Submits,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A key that names the one task, in place of `idempotency_key`")),
    responses(
        (status = 200, description = "It had been submitted before, or a result for each of many",
            body = Submitted),
        (status = 201, description = "It was submitted", body = SubmittedView), Refusal))]
pub(super) async fn submit(
    State(app): State<App>,
    key: KeyHeader,
    Input(mut request): Input<Submits>,
) -> Result<(StatusCode, Each<SubmittedView>), Refusal> {
    match &mut request {
        OneOrMany::One(task) => key.fill(&mut task.idempotency_key)?,
        OneOrMany::Many(_) => key.refuse_batch()?,
    }
    let submitted = app.api.submit(request).await?;
    let status = match &submitted {
        OneOrResults::One(task) if !task.existing => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok((status, Each(submitted)))
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

/// Gives a task that is dead, or that was cancelled because of a dependency, a new life.
#[utoipa::path(post, path = "/v1/tasks/{id}/redrive", tag = "tasks",
    params(("id" = String, Path, description = "The task")),
    request_body(content = Option<RedriveTask>), responses(
    (status = 200, description = "Where it is now", body = TaskNowView), Refusal))]
pub(super) async fn redrive(
    State(app): State<App>,
    Named(id): Named<TaskId>,
    InputOrDefault(request): InputOrDefault<RedriveTask>,
) -> Reply<TaskNowView> {
    Ok(Json(app.api.redrive(id, request).await?))
}

/// Cancels a page of tasks that have not ended, of `all` queues or of one `queue`; `next` says where
/// to go on.
#[utoipa::path(post, path = "/v1/tasks/cancel", tag = "tasks",
    request_body = CancelTasks, responses(
    (status = 200, description = "How many, and which not", body = CancelledView), Refusal))]
pub(super) async fn cancel_all(
    State(app): State<App>,
    InputOrDefault(request): InputOrDefault<CancelTasks>,
) -> Reply<CancelledView> {
    Ok(Json(app.api.cancel_each(request).await?))
}

/// Forgets a page of ended tasks, of `all` queues or of one `queue`; `next` says where to go on.
#[utoipa::path(post, path = "/v1/tasks/purge", tag = "tasks",
    request_body = PurgeTasks, responses(
    (status = 200, description = "How many, and which not", body = PurgedView), Refusal))]
pub(super) async fn purge_all(
    State(app): State<App>,
    InputOrDefault(request): InputOrDefault<PurgeTasks>,
) -> Reply<PurgedView> {
    Ok(Json(app.api.purge_each(request).await?))
}

/// Gives a page of dead tasks a new life, of `all` queues or of one `queue`; `next` says where to
/// go on.
#[utoipa::path(post, path = "/v1/tasks/redrive", tag = "tasks",
    request_body = RedriveTasks, responses(
    (status = 200, description = "How many, and which not", body = RedrivenView), Refusal))]
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
