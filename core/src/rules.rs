//! The transitions of a task's life that several commands share.

mod edges;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use crate::draft::{Draft, Step, contradiction};
use crate::{
    ErrorKind, EventKind, Idempotency, Lease, LeaseEnd, LeaseId, Rejection, Reply, Status, Task,
    TaskError, Timestamp, View, Window,
};
use crate::{planted, policy};

pub(crate) use edges::{
    Unmet, accepted_task, ask_again, beside, dependencies, dependents, is_accepted, keep_parents,
    need_for_end, parent_ended, send_watch, settle, unsatisfied, watch,
};

/// When the timer of `task` fires: the one thing that every state waits for in time.
pub(crate) fn timer(task: &Task, view: &View) -> Option<Timestamp> {
    let earliest = |a: Option<Timestamp>, b: Option<Timestamp>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    };
    match task.status {
        Status::Blocked => {
            let far = view.partitions != Some(1) && task.dependencies.may_reach(task.id);
            let far = far && !planted!(ForgottenMessage);
            let watchdog = far.then(|| task.updated_at + policy::ask_after(task.sends));
            earliest(expiry(task), watchdog)
        }
        Status::Scheduled if planted!(WakeUpLost) && task.retry_count == 0 => expiry(task),
        Status::Scheduled => earliest(task.scheduled_at, expiry(task)),
        Status::Queued => {
            let watched = view.split && (task.unsent || !planted!(NoWatchdog));
            let wait = match task.unsent {
                true => policy::unsent_backoff(task.sends),
                false => policy::resend_after(ready_for(task)),
            };
            earliest(expiry(task), watched.then(|| task.updated_at + wait))
        }
        Status::Running => task.lease.as_ref().map(|lease| {
            let ends = lease.deadline.unwrap_or(Timestamp::MAX);
            let skew = match planted!(SkewIgnored) {
                true => crate::Millis::ZERO,
                false => view.max_clock_skew,
            };
            lease.expires_at.min(ends) + skew
        }),
        Status::Succeeded | Status::Dead | Status::Cancelled => {
            if task.dependents.are_settled() {
                task.purge_at
            } else {
                Some(task.updated_at)
            }
        }
    }
}

/// How long a queued task had been ready when the last decision about it was made.
fn ready_for(task: &Task) -> crate::Millis {
    let since = task.ready_at.unwrap_or(task.updated_at);
    task.updated_at.since(since)
}

/// When a task that nobody starts is dead-lettered. One that was ever started, in this life or
/// an earlier one, does not expire: its retries are bounded by their number, and a redrive says
/// that it is still wanted.
pub(crate) fn expiry(task: &Task) -> Option<Timestamp> {
    task.expires_at.filter(|_| task.attempt == 0)
}

/// Moves a task that nobody holds to where it belongs now: `blocked`, `scheduled` or `queued`.
pub(crate) fn place(draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
    if task.dependencies.pending > 0 {
        task.status = Status::Blocked;
    } else if task.scheduled_at.is_some_and(|at| at > draft.now_for(task)) {
        task.status = Status::Scheduled;
    } else {
        enqueue(draft, task)?;
    }
    Ok(())
}

/// Makes a task ready.
pub(crate) fn enqueue(draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
    let aging = draft.queue_config(&task.queue)?.aging;
    let now = draft.now_for(task);
    task.status = Status::Queued;
    task.ready_at = Some(now);
    task.score = policy::ready_score(now, task.priority, task.rank, aging);
    task.sends = 0;
    task.unsent = draft.view.split;
    if task.unsent {
        draft.send(task.id);
    }
    draft.event(task, EventKind::Queued, None);
    Ok(())
}

/// Refuses a lease that is not the task's current one.
pub(crate) fn check_held(task: &Task, lease: LeaseId) -> Result<(), Rejection> {
    let held = |l: &Lease| l.id == lease || planted!(AnyLeaseCompletes);
    if task.status == Status::Running && task.lease.as_deref().is_some_and(held) {
        return Ok(());
    }
    Err(stale(task, lease))
}

/// The refusal of a lease that is not the current one, or that has run out.
pub(crate) fn stale(task: &Task, lease: LeaseId) -> Rejection {
    let newest = task.lease.as_deref().filter(|l| l.id == lease);
    let ran_out = newest.filter(|l| matches!(l.ended, None | Some(LeaseEnd::Expired)));
    Rejection::StaleLease {
        task: task.id,
        status: task.status,
        attempt: task.attempt,
        expired_at: ran_out.map(|l| l.expires_at.min(l.deadline.unwrap_or(Timestamp::MAX))),
    }
}

/// Whether `lease` is the newest lease and ended as `end`: the command is a repetition.
pub(crate) fn ended_as(task: &Task, lease: LeaseId, end: LeaseEnd) -> bool {
    task.lease
        .as_ref()
        .is_some_and(|l| l.id == lease && l.ended == Some(end))
}

/// Ends the current lease and gives back its slot.
pub(crate) fn end_lease(draft: &mut Draft<'_>, task: &mut Task, end: LeaseEnd) -> Step<()> {
    let Some(lease) = task.lease.as_mut() else {
        return Ok(());
    };
    lease.ended = Some(end);
    if !core::mem::take(&mut lease.slot) {
        return Ok(());
    }
    let Some(mut queue) = draft.queue(&task.queue)?.cloned() else {
        let why = format!(
            "a lease of {} holds a slot of a queue without a record",
            task.id
        );
        return contradiction(why);
    };
    let Some(running) = queue.running.checked_sub(1) else {
        return contradiction(format!("a slot of {} is given back twice", task.queue));
    };
    let twice = planted!(SlotReturnedTwice) && end == LeaseEnd::Expired;
    queue.running = running.saturating_sub(u32::from(twice));
    draft.put_queue(queue);
    Ok(())
}

/// What an attempt failed with, and what may follow.
pub(crate) struct Failure {
    pub kind: ErrorKind,
    pub message: String,
    /// The worker's own wish for the backoff.
    pub retry_after: Option<crate::Millis>,
    pub random: u64,
}

/// Ends an attempt as failed: cancelled when that was asked for, tried again while there are
/// retries, dead-lettered otherwise.
pub(crate) fn fail(draft: &mut Draft<'_>, task: &mut Task, failure: Failure) -> Step<()> {
    let now = draft.now_for(task);
    let kind = failure.kind;
    let timed = matches!(kind, ErrorKind::LeaseExpired | ErrorKind::TimedOut);
    draft.event(
        task,
        if timed {
            EventKind::Expired
        } else {
            EventKind::Failed
        },
        Some(kind),
    );
    let explains = |e: &TaskError| e.kind == ErrorKind::Cancelled && e.attempt == task.attempt;
    if !(task.cancel_requested && task.last_error.as_deref().is_some_and(explains)) {
        record_error(task, kind, failure.message, now);
    }
    if task.cancel_requested {
        return finish(draft, task, Status::Cancelled, Some(ErrorKind::Cancelled));
    }
    let is_final = kind == ErrorKind::Final && !planted!(FinalIsRetried);
    let retries = task.retry.max_retries + u32::from(planted!(OneRetryTooMany));
    if is_final || task.retry_count >= retries {
        return finish(draft, task, Status::Dead, Some(kind));
    }
    let backoff = failure
        .retry_after
        .unwrap_or_else(|| policy::backoff(&task.retry, task.retry_count, failure.random));
    task.retry_count += 1;
    task.scheduled_at = Some(now + backoff).filter(|_| !planted!(NoBackoff));
    draft.event(task, EventKind::Retried, Some(kind));
    place(draft, task)
}

/// Keeps why the newest attempt failed.
pub(crate) fn record_error(task: &mut Task, kind: ErrorKind, message: String, at: Timestamp) {
    task.last_error = Some(Box::new(TaskError {
        kind,
        message,
        attempt: task.attempt,
        at,
    }));
}

/// Ends a task and tells the first of its dependents; the timer tells the others.
pub(crate) fn finish(
    draft: &mut Draft<'_>,
    task: &mut Task,
    status: Status,
    reason: Option<ErrorKind>,
) -> Step<()> {
    end(draft, task, status, reason)?;
    settle(draft, task)
}

/// Ends a task; its timer tells its dependents.
fn end(
    draft: &mut Draft<'_>,
    task: &mut Task,
    status: Status,
    reason: Option<ErrorKind>,
) -> Step<()> {
    let now = draft.now_for(task);
    let config = draft.queue_config(&task.queue)?;
    // What died with a parent is kept as long as the parent: to be redriven with it. So is a parent
    // that was cancelled: what was let down by it must not find it gone, and start.
    let keep = match (status, reason) {
        (Status::Dead, _) | (_, Some(ErrorKind::DependencyUnsatisfied)) => config.keep_dead,
        (Status::Cancelled, _) if task.dependents.total > 0 => {
            config.keep_dead.max(config.keep_finished)
        }
        _ => config.keep_finished,
    };
    let kept = now + task.retention.unwrap_or(keep);
    task.status = status;
    task.completed_at = Some(now);
    task.purge_at = Some(kept.max(named_until(task.created_at, task.idempotency.as_deref())));
    task.ready_at = None;
    task.unsent = false;
    task.cancel_requested = false;
    count_end(draft, task)?;
    let kind = match status {
        Status::Dead => EventKind::DeadLettered,
        Status::Cancelled => EventKind::Cancelled,
        _ => EventKind::Succeeded,
    };
    if planted!(BuriedTwice) && status == Status::Dead {
        draft.event(task, kind, reason);
    }
    draft.event(task, kind, reason);
    Ok(())
}

/// Until when a key names what was submitted at `created_at`: it is kept at least as long,
/// since the key goes with it.
fn named_until(created_at: Timestamp, idempotency: Option<&Idempotency>) -> Timestamp {
    match idempotency.map(|known| known.window) {
        Some(Window::For(window)) => created_at + window,
        Some(Window::WhileLive) | None => created_at,
    }
}

fn count_end(draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
    let (Some(id), Some(end)) = (task.workflow, task.end()) else {
        return Ok(());
    };
    let Some(mut workflow) = draft.workflow(id)? else {
        return contradiction(format!("task {} outlives its workflow", task.id));
    };
    workflow.count(end);
    if workflow.live() == 0 {
        workflow.completed_at = Some(draft.now_for(task));
    }
    let named = named_until(workflow.created_at, workflow.idempotency.as_ref());
    task.purge_at = task.purge_at.max(Some(named));
    draft.put_workflow(workflow);
    Ok(())
}

/// What is told about a task after a command.
pub(crate) fn now_reply(task: &Task) -> Reply {
    Reply::Now {
        task: task.id,
        status: task.status,
        attempt: task.attempt,
        scheduled_at: (task.status == Status::Scheduled)
            .then_some(task.scheduled_at)
            .flatten(),
        cancel_requested: task.cancel_requested,
        follow_ups: alloc::vec::Vec::new(),
    }
}
