//! What became of each task, as the store's log says.

use russet_core::{Lease, LeaseEnd, LeaseId, Status, Task, TaskId};

use super::mirror::task;
use crate::history::{At, Changed};

/// One commit that changed a task. A commit may hold several decisions: what a task was between
/// two of them was never stored.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The position of the commit in the history.
    pub entry: usize,
    /// When, in true time.
    pub at: At,
    pub before: Option<&'a Task>,
    pub after: Option<&'a Task>,
}

impl<'a> Moment<'a> {
    /// What a change did to a task: two things when it was forgotten and another was made under
    /// its id.
    pub fn of(entry: usize, at: At, change: &'a Changed) -> impl Iterator<Item = Self> {
        let before = task(change.before.as_ref());
        let after = task(change.after.as_ref());
        let anew = before
            .zip(after)
            .filter(|(old, new)| old.created_at != new.created_at);
        let moment = move |before, after| Self {
            entry,
            at,
            before,
            after,
        };
        let (first, second) = match anew {
            Some(_) => (moment(before, None), Some(moment(None, after))),
            None => (moment(before, after), None),
        };
        std::iter::once(first).chain(second)
    }

    pub fn created(&self) -> Option<&'a Task> {
        self.after.filter(|_| self.before.is_none())
    }

    pub fn forgotten(&self) -> Option<&'a Task> {
        self.before.filter(|_| self.after.is_none())
    }

    /// The task with the lease that it was granted, perhaps one that has ended since.
    pub fn granted(&self) -> Option<(&'a Task, &'a Lease)> {
        let after = self.after?;
        let lease = after.lease.as_deref()?;
        (newest_lease(self.before) != Some(lease.id)).then_some((after, lease))
    }

    /// The lease that was held before and has ended, and how.
    pub fn ended(&self) -> Option<(&'a Lease, LeaseEnd)> {
        let held = held(self.before?)?;
        let after = self.after?.lease.as_deref()?;
        (after.id == held.id).then_some((held, after.ended?))
    }

    /// The lease that was held before and of whose end nothing is known, because more happened
    /// in the same commit.
    pub fn lost_sight_of(&self) -> Option<&'a Lease> {
        let held = held(self.before?)?;
        (newest_lease(self.after) != Some(held.id)).then_some(held)
    }

    /// The task as it ended.
    pub fn finished(&self) -> Option<&'a Task> {
        let after = self.after.filter(|task| task.status.is_terminal())?;
        let was = self.before.is_some_and(|task| task.status.is_terminal());
        (!was || self.redriven().is_some()).then_some(after)
    }

    /// The task as it came back to life, whatever became of it in the same commit.
    pub fn redriven(&self) -> Option<&'a Task> {
        let before = self.before.and_then(|task| task.redriven_by);
        self.after.filter(|after| after.redriven_by != before)
    }
}

/// The lease of a task that somebody holds.
pub(super) fn held(task: &Task) -> Option<&Lease> {
    let lease = task.lease.as_deref()?;
    (task.status == Status::Running && lease.ended.is_none()).then_some(lease)
}

fn newest_lease(task: Option<&Task>) -> Option<LeaseId> {
    task?.lease.as_deref().map(|lease| lease.id)
}

/// Everything that became of one task. After it was forgotten another may have its id.
#[derive(Default)]
pub(super) struct Timeline<'a> {
    pub moments: Vec<Moment<'a>>,
}

impl<'a> Timeline<'a> {
    /// How many commits changed the task up to and including the entry.
    fn until(&self, entry: usize) -> usize {
        self.moments.partition_point(|moment| moment.entry <= entry)
    }

    /// The task when the entry was written.
    pub fn at(&self, entry: usize) -> Option<&'a Task> {
        let last = self.until(entry).checked_sub(1)?;
        self.moments[last].after
    }

    /// The commits behind the entry `from`, up to and including `to`.
    pub fn during(&self, from: usize, to: usize) -> &[Moment<'a>] {
        let (start, end) = (self.until(from), self.until(to));
        &self.moments[start.min(end)..end]
    }

    /// What the task was at some time between the two entries.
    pub fn states(&self, from: usize, to: usize) -> impl Iterator<Item = Option<&'a Task>> {
        let later = self.during(from, to).iter().map(|moment| moment.after);
        std::iter::once(self.at(from)).chain(later)
    }

    /// The task as it is at the end.
    pub fn last(&self) -> Option<&'a Task> {
        self.moments.last()?.after
    }

    pub fn last_entry(&self) -> usize {
        self.moments.last().map_or(0, |moment| moment.entry)
    }
}

/// A task by its id and number of attempts, as sentences name it.
pub(super) fn named(id: TaskId, attempt: u64) -> String {
    format!("task {id} (attempt {attempt})")
}
