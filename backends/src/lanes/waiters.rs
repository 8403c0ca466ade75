use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::Wakes;

/// Receivers that wait, by ticket; lower tickets wait longer.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    last: u64,
    waiting: HashMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    max: usize,
    notify: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn enter(&mut self, max: usize, notify: Arc<Notify>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, Waiter { max, notify });
        self.last
    }

    /// Whether the receiver still waited, that is, was not woken.
    pub(crate) fn leave(&mut self, ticket: u64) -> bool {
        self.waiting.remove(&ticket).is_some()
    }

    /// Wakes the receiver that has waited longest among the tickets of a lane, and returns
    /// how many deliveries it takes at most.
    pub(crate) fn wake_one(&mut self, lane: &mut BTreeSet<u64>, wakes: &mut Wakes) -> usize {
        while let Some(ticket) = lane.pop_first() {
            if let Some(waiter) = self.waiting.remove(&ticket) {
                wakes.push(waiter.notify);
                return waiter.max;
            }
        }
        0
    }
}
