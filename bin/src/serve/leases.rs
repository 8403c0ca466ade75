//! `/v1/leases`, and `/v1/workers`, who asks for them

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use russet::wire::{
    CompleteLease, ExtendLease, ExtendedView, FailLease, LeaseReply, LeaseRequest, OneOrMany,
    OneOrResults, ReleaseLease, SignOffReply, TaskNowView, TaskView,
};
use russet_core::{Millis, Release, Task, WorkerId};
use russet_engine::EngineError;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::input::{Input, Named};
use super::refusal::Refusal;
use super::reply::{Each, Json, Large};
use super::{App, limits};

type Reply<T> = Result<Each<T>, Refusal>;
type Leased = Result<Granted, EngineError>;

// The documentation takes types without parameters.
type Extends = OneOrMany<ExtendLease>;
type Completes = OneOrMany<CompleteLease>;
type Fails = OneOrMany<FailLease>;
type Releases = OneOrMany<ReleaseLease>;
type Extended = OneOrResults<ExtendedView>;
type Now = OneOrResults<TaskNowView>;

/// Ready tasks for a worker; waits for the first one, and takes what else is ready by then.
#[utoipa::path(post, path = "/v1/leases", tag = "leases", request_body = LeaseRequest, responses(
    (status = 200, description = "The tasks, none when there was none in time", body = LeaseReply), Refusal))]
pub(super) async fn lease(
    State(app): State<App>,
    Input(request): Input<LeaseRequest>,
) -> Result<Large<LeaseReply>, Refusal> {
    let request = request.into_request()?;
    let (give, got) = oneshot::channel();
    let seeking = app.seeks.subscribe();
    tokio::spawn(seek(app.clone(), seeking, request, give));
    // It ends soon after the server is told to stop.
    let granted = got.await.unwrap_or(Err(EngineError::Stopping))?;
    let leased = &granted.tasks;
    let mut tasks = Vec::with_capacity(leased.len());
    let bytes = leased
        .iter()
        .map(|task| limits::REPLY_BYTES + task.payload.len());
    let bytes = bytes.sum();
    for task in leased {
        app.metrics.leased(task);
        // The lease is granted: better a task without its long list than none.
        let view = TaskView::load(app.scheduler(), task).await;
        tasks.push(view.unwrap_or_else(|_| TaskView::new(task, &[])));
    }
    granted.answered();
    let now = Some(app.now().into());
    Ok(Large(LeaseReply { tasks, now }, bytes))
}

/// What was leased for a worker, on its way to the answer. When the request is gone before that
/// is made, the tasks are given back at once, and not when their leases run out.
struct Granted {
    app: App,
    tasks: Vec<Arc<Task>>,
    /// The server does not stop before they are given back.
    seeking: watch::Receiver<()>,
}

impl Granted {
    fn answered(mut self) {
        self.tasks.clear();
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        if tasks.is_empty() {
            return;
        }
        let (app, seeking) = (self.app.clone(), self.seeking.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                give_back(&app, &tasks).await;
                drop(seeking);
            });
        }
    }
}

/// Looks for tasks in a task of its own, because a worker may go away at any moment.
async fn seek(
    app: App,
    seeking: watch::Receiver<()>,
    request: russet_engine::LeaseRequest,
    give: oneshot::Sender<Leased>,
) {
    let wait = Millis::new(request.wait.as_millis() as u64);
    let mut until = app.now() + wait;
    loop {
        // A clock that is set back does not make it longer.
        until = until.min(app.now() + wait);
        let left = Duration::from(until.since(app.now()));
        let slice = russet_engine::LeaseRequest {
            wait: left.min(limits::LEASE_SLICE),
            ..request.clone()
        };
        // What is being granted is waited for: none is leased to nobody.
        let leased = app.scheduler().lease_until(slice, app.stopping.wait());
        let leased = leased.await;
        let none = matches!(&leased, Ok(tasks) if tasks.is_empty());
        let is_wanted = !give.is_closed() && app.scheduler().workers().knows(&request.worker);
        if none && app.now() < until && is_wanted && !app.stopping.is_set() {
            continue;
        }
        let granted = leased.map(|tasks| Granted {
            app,
            tasks,
            seeking,
        });
        // Nobody may be there to take it any more.
        drop(give.send(granted));
        return;
    }
}

async fn give_back(app: &App, tasks: &[Arc<Task>]) {
    let releases = tasks.iter().filter_map(|task| {
        Some(Release {
            task: task.id,
            lease: task.lease.as_ref()?.id,
            delay: None,
            progress: None,
        })
    });
    let releases = releases.map(|release| app.scheduler().release(release));
    for result in futures::future::join_all(releases).await {
        if let Err(error) = result {
            tracing::debug!(%error, "a task that nobody fetched waits for its lease to run out");
        }
    }
}

/// Heartbeats: they keep leases alive, report progress, and say whether to stop.
#[utoipa::path(post, path = "/v1/leases/extend", tag = "leases",
    request_body = Extends, responses(
    (status = 200, description = "Until when, or a result for each of many",
        body = Extended), Refusal))]
pub(super) async fn extend(
    State(app): State<App>,
    Input(request): Input<Extends>,
) -> Reply<ExtendedView> {
    Ok(Each(app.api.extend(request).await?))
}

/// Tasks that finished well, each with its result and its follow-up tasks.
#[utoipa::path(post, path = "/v1/leases/complete", tag = "leases",
    request_body = Completes, responses(
    (status = 200, description = "Where it is now, or a result for each of many",
        body = Now), Refusal))]
pub(super) async fn complete(
    State(app): State<App>,
    Input(request): Input<Completes>,
) -> Reply<TaskNowView> {
    Ok(Each(app.api.complete(request).await?))
}

/// Attempts that failed: tried again after a backoff, or dead.
#[utoipa::path(post, path = "/v1/leases/fail", tag = "leases",
    request_body = Fails, responses(
    (status = 200, description = "Where it is now, or a result for each of many",
        body = Now), Refusal))]
pub(super) async fn fail(
    State(app): State<App>,
    Input(request): Input<Fails>,
) -> Reply<TaskNowView> {
    Ok(Each(app.api.fail(request).await?))
}

/// Tasks that are given back without using a retry, at once or to snooze.
#[utoipa::path(post, path = "/v1/leases/release", tag = "leases",
    request_body = Releases, responses(
    (status = 200, description = "Where it is now, or a result for each of many",
        body = Now), Refusal))]
pub(super) async fn release(
    State(app): State<App>,
    Input(request): Input<Releases>,
) -> Reply<TaskNowView> {
    Ok(Each(app.api.release(request).await?))
}

/// A worker that stops signs off, and does not count as live any more; its poll ends. One that the
/// node does not know, or that signs off again, is no error; one that asks for tasks again is back.
#[utoipa::path(delete, path = "/v1/workers/{worker}", tag = "leases",
    params(("worker" = String, Path, description = "What the worker calls itself")), responses(
    (status = 200, description = "The node does not know it any more", body = SignOffReply), Refusal))]
pub(super) async fn sign_off(
    State(app): State<App>,
    Named(worker): Named<WorkerId>,
) -> Result<Json<SignOffReply>, Refusal> {
    Ok(Json(app.api.sign_off(&worker.0)?))
}
