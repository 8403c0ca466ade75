//! Indexes in memory, for backends that are their own queue: timers and listings of each
//! partition here, ready tasks in [`crate::lanes`]. What the entries of a record are is
//! decided by `russet-core` alone ([`russet_core::entries`]).

pub(crate) mod keys;
mod listings;
mod merge;
pub(crate) mod sorted;
mod timers;

use std::collections::BTreeSet;

use russet_core::{
    Entries, QueueName, Ready, Record, RecordKey, Status, TaskId, TimerKey, Timestamp, entries,
    planted,
};
use russet_engine::{Due, Listing};

use self::listings::Listings;
pub(crate) use self::merge::{Pages, StatsSum};
use self::timers::Timers;

/// Timers and listings of one partition.
#[derive(Debug, Default)]
pub(crate) struct Index {
    timers: Timers,
    listings: Listings,
    configured: BTreeSet<QueueName>,
}

/// The place of one task among the ready ones, before and after a commit.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) before: Option<Ready>,
    pub(crate) after: Option<Ready>,
}

impl Index {
    /// Replaces the entries of `before` by those of `after`. What changed among the ready
    /// tasks is returned, to be applied to the lanes.
    pub(crate) fn replace(
        &mut self,
        key: &RecordKey,
        before: Option<&Record>,
        after: Option<&Record>,
    ) -> Option<Moved> {
        if let RecordKey::Queue(queue) = key {
            match after {
                Some(_) => self.configured.insert(queue.clone()),
                None => self.configured.remove(queue),
            };
        }
        let before = before.map(entries).unwrap_or_default();
        let after = after.map(entries).unwrap_or_default();
        self.replace_timer(key, &before, &after);
        if let RecordKey::Task(task) = key {
            self.replace_listed(*task, &before, &after);
        }
        (before.ready != after.ready).then_some(Moved {
            before: before.ready,
            after: after.ready,
        })
    }

    pub(crate) fn due(&self, before: Timestamp, limit: usize) -> Vec<Due> {
        self.timers.due(before, limit)
    }

    fn replace_timer(&mut self, key: &RecordKey, before: &Entries<'_>, after: &Entries<'_>) {
        let timer = match key {
            RecordKey::Task(task) => TimerKey::Task(*task),
            RecordKey::Outbox(message) => TimerKey::Outbox(*message),
            RecordKey::Workflow(workflow) => TimerKey::Workflow(*workflow),
            _ => return,
        };
        if before.timer == after.timer {
            return;
        }
        let stays = planted!(TimerKeepsOldPlace) && after.timer.is_some();
        if let Some(at) = before.timer.filter(|_| !stays) {
            self.timers.remove(timer, at);
        }
        if let Some(at) = after.timer {
            self.timers.insert(timer, at);
        }
    }

    fn replace_listed(&mut self, task: TaskId, before: &Entries<'_>, after: &Entries<'_>) {
        if before.listed == after.listed {
            return;
        }
        let counted = planted!(CounterDrifts) && after.listed.is_none();
        if let Some(listed) = before.listed.as_ref().filter(|_| !counted) {
            self.listings.remove(task, listed);
        }
        if let Some(listed) = &after.listed {
            self.listings.insert(task, listed);
        }
        if let Some(listed) = &before.listed {
            self.listings.forget_if_empty(listed.queue);
        }
    }

    /// Adds this partition's tasks to a page over all partitions.
    pub(crate) fn list(&self, listing: &Listing, pages: &mut Pages) {
        pages.add(|limit, bound| self.listings.page(listing, limit, bound));
    }

    /// Adds this partition's counters, also those of queues that were configured and hold
    /// nothing.
    pub(crate) fn count(&self, sum: &mut StatsSum) {
        for queue in &self.configured {
            sum.add(queue, &[0; Status::ALL.len()]);
        }
        for (queue, counts) in self.listings.counts() {
            sum.add(queue, &counts);
        }
    }
}
