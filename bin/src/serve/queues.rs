//! `/v1/queues`

use axum::extract::State;
use russet::wire::{ConfigureQueue, QueueConfigView, QueueView, QueuesReply};
use russet_core::QueueName;

use super::App;
use super::input::{Input, Named};
use super::refusal::Refusal;
use super::reply::Json;

type Reply<T> = Result<Json<T>, Refusal>;

/// All queues that have tasks or settings.
#[utoipa::path(get, path = "/v1/queues", tag = "queues", responses(
    (status = 200, description = "The queues", body = QueuesReply), Refusal))]
pub(super) async fn list(State(app): State<App>) -> Reply<QueuesReply> {
    Ok(Json(app.api.queues().await?))
}

/// One queue, also one that never held a task.
#[utoipa::path(get, path = "/v1/queues/{name}", tag = "queues",
    params(("name" = String, Path, description = "The queue")), responses(
    (status = 200, description = "The queue", body = QueueView), Refusal))]
pub(super) async fn get(State(app): State<App>, Named(name): Named<QueueName>) -> Reply<QueueView> {
    Ok(Json(app.api.queue(name.as_str()).await?))
}

/// Changes how the queue treats its tasks; what is absent stays.
#[utoipa::path(patch, path = "/v1/queues/{name}", tag = "queues",
    params(("name" = String, Path, description = "The queue")),
    request_body = ConfigureQueue, responses(
    (status = 200, description = "How it is configured now", body = QueueConfigView), Refusal))]
pub(super) async fn configure(
    State(app): State<App>,
    Named(name): Named<QueueName>,
    Input(change): Input<ConfigureQueue>,
) -> Reply<QueueConfigView> {
    Ok(Json(app.api.configure(name.as_str(), change).await?))
}

/// The queue accepts tasks and starts none.
#[utoipa::path(post, path = "/v1/queues/{name}/pause", tag = "queues",
    params(("name" = String, Path, description = "The queue")), responses(
    (status = 200, description = "How it is configured now", body = QueueConfigView), Refusal))]
pub(super) async fn pause(
    State(app): State<App>,
    Named(name): Named<QueueName>,
) -> Reply<QueueConfigView> {
    Ok(Json(app.api.pause(name.as_str()).await?))
}

/// The queue starts its tasks again.
#[utoipa::path(post, path = "/v1/queues/{name}/resume", tag = "queues",
    params(("name" = String, Path, description = "The queue")), responses(
    (status = 200, description = "How it is configured now", body = QueueConfigView), Refusal))]
pub(super) async fn resume(
    State(app): State<App>,
    Named(name): Named<QueueName>,
) -> Reply<QueueConfigView> {
    Ok(Json(app.api.resume(name.as_str()).await?))
}
