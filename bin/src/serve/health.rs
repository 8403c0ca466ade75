//! Whether the server lives, and whether it can work.

use axum::extract::State;
use russet::wire::Problem;
use russet_engine::StoreError;
use tokio::time::timeout;

use super::metrics::Node;
use super::refusal::Refusal;
use super::{App, limits};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "The process answers", body = String)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers, and the server is not stopping. A store that is full is told of and no reason
/// to send nothing here: what is there is worked on.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "The server can work", body = String), Refusal))]
pub(super) async fn readyz(State(app): State<App>) -> Result<String, Refusal> {
    if app.stopping.is_set() {
        return Err(russet_engine::EngineError::Stopping.into());
    }
    let within = limits::READY_TIMEOUT;
    let full = match timeout(within, app.scheduler().ready()).await {
        Ok(ready) => ready?,
        Err(_) => {
            let detail = format!("the store has not answered within {} s", within.as_secs());
            let problem = Problem::new("unavailable", 503, detail);
            return Err(problem.retry_after(limits::RETRY_AFTER_MS).into());
        }
    };
    Ok(full.map_or_else(
        || "ready\n".to_owned(),
        |why| {
            format!(
                "ready, but no new task is accepted: {}\n",
                StoreError::Full { why }
            )
        },
    ))
}

/// Metrics in the text format of Prometheus. While the store does not answer in time, those
/// of its tasks and queues are missing, and `russet_store_up` is 0.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Metrics", body = String,
        content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"), Refusal))]
pub(super) async fn metrics(State(app): State<App>) -> ([(&'static str, &'static str); 1], String) {
    let within = limits::METRICS_TIMEOUT;
    let (queues, ready) = tokio::join!(
        timeout(within, app.scheduler().queues()),
        timeout(within, app.scheduler().ready()),
    );
    let queues = queues.ok().and_then(Result::ok);
    let now = app.now();
    let node = Node {
        workers: app.scheduler().workers().live(now),
        is_full: matches!(ready, Ok(Ok(Some(_)))),
        unreadable: app.scheduler().unreadable(),
    };
    let text = app.metrics.text(queues, node, now);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([("content-type", kind)], text)
}
