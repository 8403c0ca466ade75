use std::iter::Peekable;

use russet_core::{MessageId, TaskId, TimerKey, Timestamp, WorkflowId};
use russet_engine::Due;

use super::keys::At;
use super::sorted::Sorted;

/// Timers of one partition. Those of tasks, messages and workflows are kept apart: so a key
/// needs no room for the kind.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    tasks: Sorted<At<TaskId>>,
    outbox: Sorted<At<MessageId>>,
    workflows: Sorted<At<WorkflowId>>,
}

impl Timers {
    pub(crate) fn insert(&mut self, timer: TimerKey, at: Timestamp) {
        match timer {
            TimerKey::Task(id) => self.tasks.insert(At { at, id }),
            TimerKey::Outbox(id) => self.outbox.insert(At { at, id }),
            TimerKey::Workflow(id) => self.workflows.insert(At { at, id }),
        };
    }

    pub(crate) fn remove(&mut self, timer: TimerKey, at: Timestamp) {
        match timer {
            TimerKey::Task(id) => self.tasks.remove(At { at, id }),
            TimerKey::Outbox(id) => self.outbox.remove(At { at, id }),
            TimerKey::Workflow(id) => self.workflows.remove(At { at, id }),
        };
    }

    /// Timers that are due at `before` or earlier, earliest first.
    pub(crate) fn due(&self, before: Timestamp, limit: usize) -> Vec<Due> {
        let tasks = self.tasks.ascending(None);
        let tasks = tasks.map(|key| due(key.at, TimerKey::Task(key.id)));
        let outbox = self.outbox.ascending(None);
        let outbox = outbox.map(|key| due(key.at, TimerKey::Outbox(key.id)));
        let workflows = self.workflows.ascending(None);
        let workflows = workflows.map(|key| due(key.at, TimerKey::Workflow(key.id)));
        let others = merged(outbox, workflows);
        let all = merged(tasks, others).take_while(|due| due.at <= before);
        all.take(limit).collect()
    }
}

fn due(at: Timestamp, timer: TimerKey) -> Due {
    Due { at, timer }
}

/// Both, earliest first; at the same time those of `first` go first.
fn merged(
    first: impl Iterator<Item = Due>,
    second: impl Iterator<Item = Due>,
) -> impl Iterator<Item = Due> {
    let (mut first, mut second) = (first.peekable(), second.peekable());
    std::iter::from_fn(move || next(&mut first, &mut second))
}

fn next(
    first: &mut Peekable<impl Iterator<Item = Due>>,
    second: &mut Peekable<impl Iterator<Item = Due>>,
) -> Option<Due> {
    let second_first = match (first.peek(), second.peek()) {
        (Some(one), Some(other)) => other.at < one.at,
        (one, _) => one.is_none(),
    };
    if second_first {
        second.next()
    } else {
        first.next()
    }
}
