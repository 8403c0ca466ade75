use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::purge::purge;
use crate::draft::{Draft, Step};
use crate::rules::{
    Failure, ask_again, end_lease, expiry, fail, finish, need_for_end, place, record_error, settle,
};
use crate::{
    ErrorKind, EventKind, LeaseEnd, MessageId, Record, RecordKey, Reply, Status, Task, TaskId,
    TimerKey, Timestamp, policy,
};

/// A timer may be due. What is to be done follows from the record that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fire {
    /// Whose timer.
    pub timer: TimerKey,
    /// Random bits for a backoff's jitter.
    pub random: u64,
}

impl Fire {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        match self.timer {
            TimerKey::Task(id) => self.task(draft, id),
            TimerKey::Outbox(id) => relay(draft, id),
            TimerKey::Workflow(id) => super::gate::fire(draft, id),
        }
    }

    fn task(&self, draft: &mut Draft<'_>, id: TaskId) -> Step<Reply> {
        let Some(task) = draft.find_task(id)? else {
            return Ok(Reply::NotDue { next: None });
        };
        if task.due_at.is_none_or(|at| at > draft.now) {
            return Ok(Reply::NotDue { next: task.due_at });
        }
        let task = Task::clone(task);
        self.due(draft, task)?;
        let next = match draft.find_task(id)? {
            Some(task) => task.due_at,
            None => None,
        };
        Ok(Reply::Fired { next, relay: None })
    }

    fn due(&self, draft: &mut Draft<'_>, mut task: Task) -> Step<()> {
        let expired = expiry(&task).is_some_and(|at| at <= draft.now);
        match task.status {
            Status::Blocked | Status::Scheduled | Status::Queued if expired => {
                expire(draft, &mut task)?;
            }
            Status::Scheduled => place(draft, &mut task)?,
            Status::Queued => resend(draft, &mut task),
            Status::Running => self.reclaim(draft, &mut task)?,
            Status::Blocked => ask_again(draft, &mut task, &[])?,
            Status::Succeeded | Status::Dead | Status::Cancelled => {
                if task.dependents.are_settled() {
                    return purge(draft, task);
                }
                settle(draft, &mut task)?;
            }
        }
        draft.put_task(task);
        Ok(())
    }

    /// Takes a task back from a holder that ran out of time.
    fn reclaim(&self, draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
        need_for_end(draft, task)?;
        let deadline = task.lease.as_ref().and_then(|lease| lease.deadline);
        let ran_out = |at: Timestamp| at + draft.view.max_clock_skew <= draft.now;
        let (kind, message) = if deadline.is_some_and(ran_out) {
            (
                ErrorKind::TimedOut,
                "the attempt took longer than the task's timeout",
            )
        } else {
            (
                ErrorKind::LeaseExpired,
                "the worker stopped sending heartbeats",
            )
        };
        end_lease(draft, task, LeaseEnd::Expired)?;
        let failure = Failure {
            kind,
            message: String::from(message),
            retry_after: None,
            random: self.random,
        };
        fail(draft, task, failure)
    }
}

/// Dead-letters a task that nobody started in time.
fn expire(draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
    need_for_end(draft, task)?;
    let now = draft.now_for(task);
    let message = String::from("nobody started the task before its expires_at");
    record_error(task, ErrorKind::Expired, message, now);
    draft.event(task, EventKind::Expired, Some(ErrorKind::Expired));
    finish(draft, task, Status::Dead, Some(ErrorKind::Expired))
}

/// Sends a queued task's message once more: the one before may never have been sent, or may
/// be lost.
fn resend(draft: &mut Draft<'_>, task: &mut Task) {
    if draft.view.split {
        task.sends = match task.unsent {
            true => task.sends.saturating_add(1),
            false => 0,
        };
        task.unsent = true;
        draft.send(task.id);
    }
}

fn relay(draft: &mut Draft<'_>, id: MessageId) -> Step<Reply> {
    let key = RecordKey::Outbox(id);
    let Some(Record::Outbox(outbox)) = draft.get(&key)? else {
        return Ok(Reply::NotDue { next: None });
    };
    if outbox.due_at > draft.now {
        return Ok(Reply::NotDue {
            next: Some(outbox.due_at),
        });
    }
    let mut outbox = **outbox;
    outbox.tries = outbox.tries.saturating_add(1);
    outbox.due_at = draft.now + policy::relay_backoff(outbox.tries);
    draft.put(key, Record::Outbox(Arc::new(outbox)));
    Ok(Reply::Fired {
        next: Some(outbox.due_at),
        relay: Some(outbox.message),
    })
}
