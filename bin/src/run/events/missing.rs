//! What a task's record tells of its history, to fill in what was committed and not written.

use russet_core::{ErrorKind, Event, EventKind, LeaseEnd, Status, Task, Timestamp};

/// How far a task's history goes, as far as the file knows: a life is a line, so that the last
/// event says it all. Attempts count from 1; what happens before the first is of attempt 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reached(u64, u8);

impl Reached {
    /// Nothing is known.
    pub const NOTHING: Self = Self(0, 0);

    pub fn by(kind: EventKind, attempt: u64) -> Self {
        let step = match kind {
            EventKind::Submitted => 1,
            EventKind::Leased => 2,
            EventKind::Extended | EventKind::CancelRequested => 3,
            EventKind::Failed | EventKind::Expired | EventKind::Released => 4,
            EventKind::Retried => 5,
            EventKind::Redriven | EventKind::Queued => 6,
            EventKind::Succeeded | EventKind::DeadLettered | EventKind::Cancelled => 7,
            EventKind::Purged => 8,
        };
        Self(attempt, step)
    }
}

/// The events that led a task to where it is, as far as its record tells, of those beyond
/// `reached`. Of earlier attempts than the newest nothing is known.
pub(super) fn missing(task: &Task, reached: Reached) -> Vec<Event> {
    let mut history = History {
        task,
        reached,
        events: Vec::new(),
    };
    history.add(EventKind::Submitted, 0, task.created_at, None);
    let started = task.started_at.filter(|_| task.attempt > 0);
    if let Some(started) = started {
        let ready = task.ready_at.filter(|at| *at <= started);
        let ready = ready.unwrap_or(started);
        history.add(EventKind::Queued, task.attempt - 1, ready, None);
        history.add(EventKind::Leased, task.attempt, started, None);
        history.end_of_attempt();
    }
    history.place();
    history.events
}

struct History<'a> {
    task: &'a Task,
    reached: Reached,
    events: Vec<Event>,
}

impl History<'_> {
    fn add(&mut self, kind: EventKind, attempt: u64, at: Timestamp, reason: Option<ErrorKind>) {
        if Reached::by(kind, attempt) <= self.reached {
            return;
        }
        self.events.push(Event {
            at,
            task: self.task.id,
            queue: self.task.queue.clone(),
            workflow: self.task.workflow,
            attempt,
            kind,
            reason,
        });
    }

    /// How the newest attempt ended, if it did.
    fn end_of_attempt(&mut self) {
        let task = self.task;
        let ended = task.lease.as_ref().and_then(|lease| lease.ended);
        let kind = match ended {
            Some(LeaseEnd::Failed) => EventKind::Failed,
            Some(LeaseEnd::Expired) => EventKind::Expired,
            Some(LeaseEnd::Released) => {
                let at = task.ready_at.or(task.completed_at);
                let at = at.unwrap_or(task.updated_at);
                return self.add(EventKind::Released, task.attempt, at, None);
            }
            Some(LeaseEnd::Completed) | None => return,
        };
        let error = task.last_error.as_deref();
        let error = error.filter(|error| error.attempt == task.attempt);
        let at = error.map_or(task.updated_at, |error| error.at);
        let reason = error.map(|error| error.kind);
        self.add(kind, task.attempt, at, reason);
        if !task.status.is_terminal() {
            self.add(EventKind::Retried, task.attempt, at, reason);
        }
    }

    /// How the task came to where it is now.
    fn place(&mut self) {
        let task = self.task;
        let kind = match task.status {
            Status::Queued => {
                let at = task.ready_at.unwrap_or(task.updated_at);
                return self.add(EventKind::Queued, task.attempt, at, None);
            }
            Status::Succeeded => EventKind::Succeeded,
            Status::Dead => EventKind::DeadLettered,
            Status::Cancelled => EventKind::Cancelled,
            Status::Blocked | Status::Scheduled | Status::Running => return,
        };
        let at = task.completed_at.unwrap_or(task.updated_at);
        let error = task.last_error.as_deref();
        let reason = error.map(|error| error.kind);
        let reason = reason.filter(|_| task.status != Status::Succeeded);
        self.add(kind, task.attempt, at, reason);
    }
}

#[cfg(test)]
mod tests;
