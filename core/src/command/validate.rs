//! Checks of what commands carry. Each refusal names the field, the problem and the limit.

use alloc::collections::BTreeSet;
use alloc::format;

use bytes::Bytes;

use super::submit::{NewTask, NewWorkflow, When};
use crate::{
    ErrorKind, Millis, PartitionId, Progress, Rejection, TaskId, Timestamp, Window, WorkerId,
    limits,
};

type Checked = Result<(), Rejection>;

/// Everything about a new task that does not depend on the time.
pub(super) fn new_task(task: &NewTask, here: PartitionId) -> Checked {
    if task.id.partition() != here {
        return Err(Rejection::invalid(
            "id",
            format!("{} is of partition {}", task.id, task.id.partition().0),
            format!("an id of partition {}, where it is submitted", here.0),
        ));
    }
    bytes("payload", Some(&task.payload), limits::PAYLOAD_BYTES)?;
    bytes("metadata", Some(&task.metadata), limits::METADATA_BYTES)?;
    if let Some(priority) = task.priority {
        at_most(
            "priority",
            u64::from(priority),
            u64::from(limits::PRIORITY_MAX),
        )?;
    }
    at_most(
        "max_retries",
        u64::from(task.retry.max_retries),
        u64::from(limits::RETRIES_MAX),
    )?;
    at_most(
        "retry.jitter_percent",
        u64::from(task.retry.jitter_percent),
        100,
    )?;
    optional_duration("retry.backoff_ms", Some(task.retry.backoff), true)?;
    optional_duration("retry.backoff_cap_ms", Some(task.retry.backoff_cap), true)?;
    lease_duration("visibility_timeout_ms", task.lease_duration)?;
    optional_duration("timeout_ms", task.timeout, false)?;
    optional_duration("retention_ms", task.retention, true)?;
    optional_duration("expected_ms", task.expected, true)?;
    if let Some(Window::For(window)) = task.idempotency.as_ref().map(|known| known.window) {
        optional_duration("idempotency_window_ms", Some(window), false)?;
    }
    resources(task)?;
    dependencies(task)
}

/// Everything about a new workflow but its tasks.
pub(super) fn workflow(new: &NewWorkflow, tasks: &[NewTask], here: PartitionId) -> Checked {
    if new.id.partition() != here {
        return Err(Rejection::invalid(
            "workflow.id",
            format!("{} is of partition {}", new.id, new.id.partition().0),
            format!("an id of partition {}, where it is submitted", here.0),
        ));
    }
    if let Some(Window::For(window)) = new.idempotency.as_ref().map(|known| known.window) {
        optional_duration("workflow.idempotency_window_ms", Some(window), false)?;
    }
    match tasks.iter().position(|task| task.idempotency.is_some()) {
        None => Ok(()),
        Some(at) => Err(Rejection::invalid(
            format!("tasks[{at}].idempotency_key"),
            "a task of a workflow has no key of its own",
            "give the workflow an idempotency_key",
        )),
    }
}

fn resources(task: &NewTask) -> Checked {
    let count = task.resources.len() as u64;
    at_most(
        "resource_requirements",
        count,
        limits::TASK_RESOURCES as u64,
    )?;
    for (name, amount) in task.resources.iter() {
        at_most(
            &format!("resource_requirements.{name}"),
            amount,
            limits::RESOURCE_AMOUNT,
        )?;
    }
    Ok(())
}

fn dependencies(task: &NewTask) -> Checked {
    let count = task.dependencies.len();
    at_most(
        "dependencies",
        count as u64,
        limits::TASK_DEPENDENCIES as u64,
    )?;
    if count < 2 {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    match task
        .dependencies
        .iter()
        .find(|edge| !seen.insert(edge.task))
    {
        None => Ok(()),
        Some(twice) => Err(Rejection::invalid(
            "dependencies",
            format!("{} is named twice", twice.task),
            "each task at most once",
        )),
    }
}

/// What about a new task depends on the time.
pub(super) fn times(task: &NewTask, now: Timestamp) -> Checked {
    let furthest = now + limits::DURATION_MAX;
    let resolve = |when: When| match when {
        When::At(at) => at,
        When::In(after) => now + after,
    };
    let said = |when: Option<When>, at, after| match when {
        Some(When::In(_)) => after,
        _ => at,
    };
    let start_field = said(task.start, "scheduled_at", "delay_ms");
    let expires_field = said(task.expires, "expires_at", "expires_in_ms");
    let (start, expires) = (task.start.map(resolve), task.expires.map(resolve));
    for (field, at) in [(start_field, start), (expires_field, expires)] {
        if at.is_some_and(|at| at > furthest) {
            let limit = format!(
                "at most {} days ahead",
                limits::DURATION_MAX.as_millis() / 86_400_000
            );
            return Err(Rejection::invalid(field, "lies too far ahead", limit));
        }
    }
    let Some(expires) = expires else {
        return Ok(());
    };
    if expires <= now {
        return Err(Rejection::invalid(
            expires_field,
            said(task.expires, "lies in the past", "is zero"),
            "a time to come",
        ));
    }
    if start.is_some_and(|start| start >= expires) {
        return Err(Rejection::invalid(
            expires_field,
            format!("is not after {start_field}, so that the task could never start"),
            format!("later than {start_field}"),
        ));
    }
    Ok(())
}

/// That the partition of a parent exists: nobody would ever answer for it.
pub(super) fn parent(parent: TaskId, partitions: Option<u16>) -> Checked {
    match partitions {
        Some(partitions) if parent.partition().0 >= partitions => Err(Rejection::invalid(
            "dependencies",
            format!("{parent} names partition {}", parent.partition().0),
            format!("ids of this store, which has {partitions} partitions"),
        )),
        _ => Ok(()),
    }
}

/// From 1 to `most` items.
pub(super) fn count(field: &str, items: usize, most: usize) -> Checked {
    if items == 0 {
        return Err(Rejection::invalid(
            field,
            "is empty",
            format!("1 to {most} items"),
        ));
    }
    if items > most {
        let problem = format!("has {items} items");
        return Err(Rejection::invalid(
            field,
            problem,
            format!("1 to {most} items"),
        ));
    }
    Ok(())
}

fn at_most(field: &str, value: u64, most: u64) -> Checked {
    if value <= most {
        return Ok(());
    }
    Err(Rejection::invalid(
        field,
        format!("{value} is too much"),
        format!("at most {most}"),
    ))
}

pub(super) fn bytes(field: &str, value: Option<&Bytes>, most: usize) -> Checked {
    match value {
        Some(value) if value.len() > most => Err(Rejection::invalid(
            field,
            format!("has {} bytes", value.len()),
            format!("at most {most} bytes; keep larger data elsewhere and pass a reference"),
        )),
        _ => Ok(()),
    }
}

pub(super) fn lease_duration(field: &str, value: Millis) -> Checked {
    if (limits::LEASE_MIN..=limits::LEASE_MAX).contains(&value) {
        return Ok(());
    }
    Err(Rejection::invalid(
        field,
        format!("{value} is not a lease"),
        format!(
            "{} to {}; heartbeats extend it as long as the work takes",
            limits::LEASE_MIN,
            limits::LEASE_MAX
        ),
    ))
}

pub(super) fn optional_duration(field: &str, value: Option<Millis>, may_be_zero: bool) -> Checked {
    let least = if may_be_zero {
        Millis::ZERO
    } else {
        Millis::new(1)
    };
    match value {
        Some(value) if !(least..=limits::DURATION_MAX).contains(&value) => Err(Rejection::invalid(
            field,
            format!("{value} is out of range"),
            format!("{least} to {}", limits::DURATION_MAX),
        )),
        _ => Ok(()),
    }
}

pub(super) fn progress(progress: Option<&Progress>) -> Checked {
    let Some(progress) = progress else {
        return Ok(());
    };
    if let Some(percent) = progress.percent {
        at_most("progress.percent", u64::from(percent), 100)?;
    }
    if let Some(message) = &progress.message {
        let most = limits::PROGRESS_MESSAGE_BYTES;
        at_most("progress.message", message.len() as u64, most as u64)?;
    }
    bytes(
        "progress.checkpoint",
        progress.checkpoint.as_ref(),
        limits::PAYLOAD_BYTES,
    )
}

pub(super) fn worker(worker: &WorkerId) -> Checked {
    let len = worker.0.len();
    if (1..=limits::WORKER_LEN).contains(&len) {
        return Ok(());
    }
    let limit = format!("1 to {} bytes", limits::WORKER_LEN);
    Err(Rejection::invalid(
        "worker",
        format!("has {len} bytes"),
        limit,
    ))
}

/// A worker reports only failures of its own.
pub(super) fn failure_kind(kind: ErrorKind) -> Checked {
    match kind {
        ErrorKind::Failed | ErrorKind::Final | ErrorKind::Panicked | ErrorKind::TimedOut => Ok(()),
        other => Err(Rejection::invalid(
            "kind",
            format!("{} is not for workers to report", other.as_str()),
            "failed, final, panicked or timed_out",
        )),
    }
}
