//! Whether the server lives, and whether it can work.

use axum::extract::State;
use russet::wire::Problem;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::{App, limits};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "The process answers", body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers, and the server is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "The server can work", body = String), Refusal))]
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, Refusal> {
    if app.stopping.is_set() {
        return Err(russet_engine::EngineError::Stopping.into());
    }
    let within = limits::READY_TIMEOUT;
    match timeout(within, app.scheduler().ready()).await {
        Ok(ready) => {
            ready?;
        }
        Err(_) => {
            let detail = format!("the store has not answered within {} s", within.as_secs());
            let problem = Problem::new("unavailable", 503, detail);
            return Err(problem.retry_after(limits::RETRY_AFTER_MS).into());
        }
    }
    Ok("ready\n")
}

/// Metrics in the text format of Prometheus. While the store does not answer, those of its tasks
/// and queues are missing, and `russet_store_up` is 0.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Metrics", body = String,
        content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"), Refusal))]
pub(super) async fn metrics(State(app): State<App>) -> ([(&'static str, &'static str); 1], String) {
    let queues = app.scheduler().queues().await.ok();
    let now = app.now();
    let text = app
        .metrics
        .text(queues, app.scheduler().workers().live(now), now);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([("content-type", kind)], text)
}
