use std::collections::BTreeMap;

use russet_core::{QueueName, Status, TaskId, Timestamp};
use russet_engine::{Listing, Order, Page, QueueStats, Stats};

/// One page that is put together from several partitions.
#[derive(Debug)]
pub(crate) struct Pages {
    order: Order,
    /// One more than fits on the page: the one more tells whether there is a next page.
    limit: usize,
    tasks: Vec<TaskId>,
}

impl Pages {
    pub(crate) fn new(listing: &Listing) -> Self {
        Self {
            order: listing.order,
            limit: listing.limit.max(1).saturating_add(1),
            tasks: Vec::new(),
        }
    }

    /// Adds the tasks of a partition: `page` gets how many are wanted at most, and the task
    /// at which it can stop.
    pub(crate) fn add(&mut self, page: impl FnOnce(usize, Option<TaskId>) -> Vec<TaskId>) {
        let bound = (self.tasks.len() >= self.limit)
            .then(|| self.tasks.last().copied())
            .flatten();
        self.tasks.extend(page(self.limit, bound));
        self.tasks.sort_unstable();
        if self.order == Order::Newest {
            self.tasks.reverse();
        }
        self.tasks.truncate(self.limit);
    }

    pub(crate) fn finish(mut self) -> Page<TaskId> {
        let more = self.tasks.len() >= self.limit;
        self.tasks.truncate(self.limit - 1);
        let next = more.then(|| self.tasks.last().copied()).flatten();
        Page {
            items: self.tasks,
            next,
        }
    }
}

/// Counters that are summed up over partitions.
#[derive(Debug, Default)]
pub(crate) struct StatsSum {
    queues: BTreeMap<QueueName, [u64; Status::ALL.len()]>,
}

impl StatsSum {
    pub(crate) fn add(&mut self, queue: &QueueName, counts: &[u64; Status::ALL.len()]) {
        match self.queues.get_mut(queue) {
            Some(sums) => {
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += count;
                }
            }
            None => {
                self.queues.insert(queue.clone(), *counts);
            }
        }
    }

    pub(crate) fn finish(self, oldest: &BTreeMap<QueueName, Timestamp>) -> Stats {
        let queues = self
            .queues
            .into_iter()
            .map(|(queue, by_status)| QueueStats {
                oldest_ready_at: oldest.get(&queue).copied(),
                queue,
                by_status,
            });
        Stats {
            queues: queues.collect(),
        }
    }
}
