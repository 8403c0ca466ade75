use russet_core::{MessageId, TaskId, TimerKey, Timestamp};
use russet_engine::Due;

use super::keys::At;
use super::sorted::Sorted;

/// Timers of one partition. Those of tasks and those of messages are kept apart: so a key
/// needs no room for the kind.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    tasks: Sorted<At<TaskId>>,
    outbox: Sorted<At<MessageId>>,
}

impl Timers {
    pub(crate) fn insert(&mut self, timer: TimerKey, at: Timestamp) {
        match timer {
            TimerKey::Task(id) => self.tasks.insert(At { at, id }),
            TimerKey::Outbox(id) => self.outbox.insert(At { at, id }),
        };
    }

    pub(crate) fn remove(&mut self, timer: TimerKey, at: Timestamp) {
        match timer {
            TimerKey::Task(id) => self.tasks.remove(At { at, id }),
            TimerKey::Outbox(id) => self.outbox.remove(At { at, id }),
        };
    }

    /// Timers that are due at `before` or earlier, earliest first.
    pub(crate) fn due(&self, before: Timestamp, limit: usize) -> Vec<Due> {
        let mut tasks = self.tasks.ascending(None).peekable();
        let mut outbox = self.outbox.ascending(None).peekable();
        let mut due = Vec::new();
        while due.len() < limit {
            let message_first = match (tasks.peek(), outbox.peek()) {
                (Some(task), Some(message)) => message.at < task.at,
                (task, _) => task.is_none(),
            };
            let next = if message_first {
                outbox.next().map(message_due)
            } else {
                tasks.next().map(task_due)
            };
            match next.filter(|next| next.at <= before) {
                Some(next) => due.push(next),
                None => break,
            }
        }
        due
    }
}

fn task_due(key: At<TaskId>) -> Due {
    Due {
        at: key.at,
        timer: TimerKey::Task(key.id),
    }
}

fn message_due(key: At<MessageId>) -> Due {
    Due {
        at: key.at,
        timer: TimerKey::Outbox(key.id),
    }
}
