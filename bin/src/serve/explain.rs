//! Why a task is not running: `GET /v1/tasks/{id}/explain`.

mod ended;

use axum::extract::State;
use russet::wire::Time;
use russet_core::{LeaseEnd, Rejection, Resources, Status, Task, TaskId, Timestamp};
use russet_engine::{EngineError, WhoFits};
use serde::{Deserialize, Serialize};

use super::input::Named;
use super::refusal::Refusal;
use super::reply::Json;
use super::{App, limits};
use crate::text::{attempt, counted, lasting, relative};

/// Why a task is where it is, for people to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The task.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// Where it is in its life.
    #[schema(schema_with = russet::wire::status_schema)]
    pub status: Status,
    /// What holds it there; the first is the one to look at first.
    pub reasons: Vec<Reason>,
}

/// One thing that holds a task where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reason {
    /// What programs tell reasons apart by: `dependencies`, `workflow`, `not_due`, `backoff`,
    /// `queue_paused`, `concurrency_limit`, `no_worker`, `no_resources`, `waiting`, `running`,
    /// `cancel_requested`, `succeeded`, `dead` or `cancelled`.
    pub code: String,
    /// What it is, and what to do about it where something can be done. An error of several
    /// lines keeps them; what to do then stands on the last line.
    pub detail: String,
}

/// Why the task is not running, or what became of it.
#[utoipa::path(get, path = "/v1/tasks/{id}/explain", tag = "tasks",
    params(("id" = String, Path, description = "The task")),
    responses((status = 200, body = Explanation), Refusal))]
pub(super) async fn explain(
    State(app): State<App>,
    Named(id): Named<TaskId>,
) -> Result<Json<Explanation>, Refusal> {
    let task = app.scheduler().get(id).await?;
    let task = task.ok_or(Rejection::NotFound { task: id })?;
    let mut reasons = match task.status {
        Status::Blocked => blocked(&app, &task).await?,
        Status::Scheduled => vec![scheduled(&task, app.now())],
        Status::Queued => queued(&app, &task).await?,
        Status::Running => running(&task, app.now()),
        Status::Succeeded | Status::Dead | Status::Cancelled => {
            vec![ended::ended(&app, &task).await?]
        }
    };
    if matches!(task.status, Status::Blocked | Status::Scheduled) && !task.resources.is_empty() {
        // It cannot start yet, and could not start later either.
        reasons.extend(nobody(&app, &task));
    }
    Ok(Json(Explanation {
        task: id,
        status: task.status,
        reasons,
    }))
}

fn reason(code: &str, detail: String) -> Reason {
    Reason {
        code: code.to_owned(),
        detail,
    }
}

fn seen(at: Timestamp, now: Timestamp) -> String {
    let relative = relative(at.as_millis(), now.as_millis());
    format!("{relative} ({})", Time::from(at))
}

/// As [`seen`], of what has happened.
fn past(at: Option<Timestamp>, now: Timestamp) -> String {
    let seen = seen(at.unwrap_or(now), now);
    match seen.strip_prefix("now ") {
        Some(at) => format!("just now {at}"),
        None => seen,
    }
}

/// The parents that have not ended.
async fn blocked(app: &App, task: &Task) -> Result<Vec<Reason>, EngineError> {
    let edges = app.scheduler().dependencies(task).await?;
    let ids: Vec<_> = edges.iter().map(|edge| edge.task).collect();
    let (mut live, mut named) = (0_usize, Vec::new());
    for ids in ids.chunks(russet_engine::limits::PAGE_TASKS) {
        let parents = app.scheduler().get_each(ids).await?;
        for (id, parent) in ids.iter().zip(parents) {
            let status = match &parent {
                Some(parent) if parent.status.is_terminal() => continue,
                Some(parent) => parent.status.as_str(),
                None => "not found",
            };
            live += 1;
            if named.len() < limits::EXPLAINED_PARENTS {
                named.push(format!("{id} ({status})"));
            }
        }
    }
    let more = match live - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if let Some(id) = task.workflow.filter(|_| live == 0)
        && let Some(workflow) = app.scheduler().workflow(id).await?
        && workflow.gate.is_some()
    {
        let detail = "its workflow was just accepted, and lets its tasks through a few at a time";
        return Ok(vec![reason("workflow", detail.to_owned())]);
    }
    let named = named.join(", ");
    let detail = match (live, edges.len()) {
        (0, _) => "all tasks that it depends on have ended: it is being told of it".to_owned(),
        (_, 1) => format!("it waits for the task that it depends on: {named}"),
        (_, all) => {
            format!("it waits for {live} of the {all} tasks that it depends on: {named}{more}")
        }
    };
    Ok(vec![reason("dependencies", detail)])
}

fn scheduled(task: &Task, now: Timestamp) -> Reason {
    let due = task
        .scheduled_at
        .map_or_else(|| "now".to_owned(), |at| seen(at, now));
    let (retries, most) = (task.retry_count, task.retry.max_retries);
    let lease = task.lease.as_deref();
    let released = lease.filter(|lease| lease.ended == Some(LeaseEnd::Released));
    match (&task.last_error, released) {
        (_, Some(lease)) => {
            let worker = &lease.worker.0;
            let detail =
                format!("worker {worker} gave it back; it starts again {due} at the earliest");
            reason("not_due", detail)
        }
        (Some(error), None) if retries > 0 => {
            let message = &error.message;
            let detail = format!(
                "it failed and is tried again {due}, retry {retries} of {most}; the error was:\n{message}"
            );
            reason("backoff", detail)
        }
        _ => reason(
            "not_due",
            format!("it is not to start before its time, {due}"),
        ),
    }
}

async fn queued(app: &App, task: &Task) -> Result<Vec<Reason>, EngineError> {
    let view = app.scheduler().queue(&task.queue).await?;
    let (queue, now) = (&task.queue, app.now());
    let mut reasons = Vec::new();
    if view.config.paused {
        let detail = format!(
            "queue {queue} is paused: `russet queues resume {queue}` starts its tasks again"
        );
        reasons.push(reason("queue_paused", detail));
    }
    reasons.extend(full(app, task).await?);
    reasons.extend(nobody(app, task));
    if reasons.is_empty() {
        let since = past(task.ready_at, now);
        let others = view.stats.count(Status::Queued).saturating_sub(1);
        let asked = app.scheduler().workers().last_asked(queue);
        let asked = asked.map(|at| relative(at.as_millis(), now.as_millis()));
        let others = match others {
            0 => format!("no other task of queue {queue} is"),
            1 => format!("1 other task of queue {queue} is"),
            _ => format!("{others} other tasks of queue {queue} are"),
        };
        let detail = format!(
            "it became ready {since} and waits for a worker to be free; {others} \
             ready too, and a worker last asked for one {}",
            asked.unwrap_or_else(|| "never".to_owned())
        );
        reasons.push(reason("waiting", detail));
    }
    Ok(reasons)
}

/// That the task's queue runs as many tasks as it may, if that is so: what the limit holds for
/// is a partition.
async fn full(app: &App, task: &Task) -> Result<Option<Reason>, EngineError> {
    let (queue, partition) = (&task.queue, task.id.partition());
    let Some((running, limit)) = app.scheduler().concurrency(queue, partition).await? else {
        return Ok(None);
    };
    if running < limit {
        return Ok(None);
    }
    let place = match app.partitions {
        1 => String::new(),
        _ => format!(" in partition {}, where this one is", partition.0),
    };
    let running = counted(running.into(), "task");
    let detail =
        format!("queue {queue} runs {running}{place}, and its concurrency limit is {limit}");
    Ok(Some(reason("concurrency_limit", detail)))
}

/// Why no live worker can run the task, if that is so.
fn nobody(app: &App, task: &Task) -> Option<Reason> {
    let workers = app.scheduler().workers();
    match workers.who_fits(&task.queue, &task.resources, app.now()) {
        WhoFits::Somebody => None,
        WhoFits::NobodyServes => Some(reason(
            "no_worker",
            nobody_serves(task, app.scheduler().is_shared()),
        )),
        WhoFits::NobodyFits => Some(reason(
            "no_resources",
            nobody_fits(task, app.scheduler().is_shared()),
        )),
    }
}

fn nobody_serves(task: &Task, is_shared: bool) -> String {
    let (queue, within) = (&task.queue, lasting(russet_engine::limits::WORKER_LIVE));
    let others = match is_shared {
        true => ", unless workers ask other nodes, which this one does not see",
        false => "",
    };
    format!(
        "no worker asked this node for tasks of queue {queue} within {within}, or since it was started, but those that have stopped: start one with `russet worker --queue {queue} --exec …`{others}"
    )
}

fn nobody_fits(task: &Task, is_shared: bool) -> String {
    let (queue, needs) = (&task.queue, amounts(&task.resources));
    let whose = match is_shared {
        true => " that asks this node",
        false => "",
    };
    format!(
        "no live worker of queue {queue}{whose} has {needs}: start one with `--capacity {needs}`, or submit the task with less"
    )
}

fn amounts(resources: &Resources) -> String {
    let each = resources.iter().map(|(name, n)| format!("{name}={n}"));
    each.collect::<Vec<_>>().join(",")
}

fn running(task: &Task, now: Timestamp) -> Vec<Reason> {
    let Some(lease) = &task.lease else {
        return Vec::new();
    };
    let started = past(task.started_at, now);
    let (worker, attempt) = (&lease.worker.0, attempt(task.attempt));
    let expires = seen(lease.expires_at, now);
    let detail = format!(
        "it runs on worker {worker} as attempt {attempt}, started {started}; its lease expires {expires} unless the worker extends it"
    );
    let mut reasons = vec![reason("running", detail)];
    if task.cancel_requested {
        let detail =
            "its cancellation was requested: the worker learns of it with its next heartbeat";
        reasons.push(reason("cancel_requested", detail.to_owned()));
    }
    reasons
}
