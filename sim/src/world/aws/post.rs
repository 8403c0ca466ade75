use std::collections::{BTreeMap, BTreeSet};

use russet_core::TaskId;
use russet_models::sqs::{Event, What};

use crate::history::{Actor, Effect};
use crate::world::ledger::Ledger;

/// What became of messages.
#[derive(Default)]
pub(super) struct Post {
    /// How many messages of each task the queue took, also those that it lost.
    taken: BTreeMap<TaskId, u64>,
    /// The messages that nodes have settled.
    settled: BTreeSet<String>,
}

impl Post {
    /// How many messages of each task the queue took until now.
    pub fn taken(&self, tasks: &[TaskId]) -> Vec<u64> {
        let taken = tasks.iter().map(|task| self.taken.get(task));
        taken.map(|taken| taken.copied().unwrap_or(0)).collect()
    }

    /// A node settles a message.
    pub fn settle(&mut self, message: String) {
        self.settled.insert(message);
    }

    /// Takes note of what a request of `from` has done to messages.
    pub fn happened(&mut self, from: Actor, events: Vec<Event>, ledger: &Ledger) {
        for event in events {
            let Some(task) = task(&event.body) else {
                continue;
            };
            match event.what {
                What::Sent => *self.taken.entry(task).or_default() += 1,
                What::Lost => {
                    *self.taken.entry(task).or_default() += 1;
                    ledger.met(from, Effect::MessageLost);
                }
                What::Delivered { duplicate, .. } => {
                    if duplicate {
                        ledger.met(from, Effect::DeliveredTwice);
                    }
                }
                What::Deleted => {
                    if !self.settled.contains(&event.message) {
                        ledger.unsettled(task);
                    }
                }
            }
        }
    }
}

/// The task that a message is about.
pub(super) fn task(body: &str) -> Option<TaskId> {
    body.split_once(':')?.1.parse().ok()
}
