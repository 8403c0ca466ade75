use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use russet_core::{Lane, QueueName};
use tokio::sync::watch;

use super::keys::read_arrival;
use crate::limits::{KNOWN_QUEUES, QUEUE_LANES};

/// The lanes that this node has heard of.
pub(crate) struct KnownLanes {
    queues: Mutex<BTreeMap<QueueName, BTreeSet<Lane>>>,
    epoch: watch::Sender<u64>,
}

impl KnownLanes {
    pub(crate) fn new() -> Self {
        Self {
            queues: Mutex::default(),
            epoch: watch::Sender::new(0),
        }
    }

    /// Enters a lane; whoever waits for new ones is told.
    pub(crate) fn learn(&self, lane: Lane) {
        let mut queues = self.lock();
        let is_new = match queues.get_mut(&lane.queue) {
            Some(lanes) => !lanes.contains(&lane) && lanes.insert(lane),
            None => {
                let queue = lane.queue.clone();
                queues.insert(queue, BTreeSet::from([lane]));
                true
            }
        };
        drop(queues);
        if is_new {
            self.epoch.send_modify(|epoch| *epoch += 1);
        }
    }

    /// Enters the lanes that hold a task. If these are all, the others of a queue with very many
    /// lanes are forgotten, and of all queues when there are very many: they are told of again
    /// with their next task.
    pub(crate) fn refresh(&self, named: &[Vec<u8>], are_all: bool) {
        let named = named.iter().filter_map(|name| read_arrival(name));
        let named: BTreeSet<Lane> = named.map(|(_, lane)| lane).collect();
        let mut queues = self.lock();
        let are_many = queues.len() > KNOWN_QUEUES;
        queues.retain(|_, lanes| {
            if are_all && (are_many || lanes.len() > QUEUE_LANES) {
                lanes.retain(|lane| named.contains(lane));
            }
            !lanes.is_empty()
        });
        drop(queues);
        for lane in named {
            self.learn(lane);
        }
    }

    pub(crate) fn of_queue(&self, queue: &QueueName) -> Vec<Lane> {
        let queues = self.lock();
        queues
            .get(queue)
            .map_or_else(Vec::new, |lanes| lanes.iter().cloned().collect())
    }

    pub(crate) fn epoch(&self) -> u64 {
        *self.epoch.borrow()
    }

    pub(crate) async fn changed(&self, known: u64) {
        let mut epoch = self.epoch.subscribe();
        // The sender lives as long as `self`: waiting for it cannot fail.
        let _ = epoch.wait_for(|epoch| *epoch > known).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<QueueName, BTreeSet<Lane>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use russet_core::Resources;

    use super::*;

    fn lane(queue: usize) -> Lane {
        let name = format!("q{queue}");
        Lane {
            queue: QueueName::new(&name).expect("a name"),
            resources: Resources::NONE,
        }
    }

    #[test]
    fn of_very_many_queues_those_are_forgotten_that_hold_nothing() {
        let known = KnownLanes::new();
        for queue in 0..=KNOWN_QUEUES {
            known.learn(lane(queue));
        }
        known.refresh(&[], false);
        assert_eq!(known.of_queue(&lane(7).queue), [lane(7)]);
        known.refresh(&[], true);
        assert_eq!(known.of_queue(&lane(7).queue), []);
        known.learn(lane(7));
        known.refresh(&[], true);
        assert_eq!(known.of_queue(&lane(7).queue), [lane(7)]);
    }
}
