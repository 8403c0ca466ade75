//! The SQS queues that this node knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::{Lane, QueueName, Timestamp};
use tokio::sync::watch;

use super::name::{Band, Prefix};
use crate::limits::{SQS_LOOK_EVERY, SQS_QUEUES, SQS_STRANGERS_EVERY};

/// An SQS queue.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: Arc<str>,
    pub(super) url: String,
    pub(super) lane: Lane,
    pub(super) band: Band,
}

/// The SQS queues that this node knows, and a number that grows with them.
pub(super) struct Directory {
    known: Mutex<Known>,
    epoch: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    /// By name.
    places: BTreeMap<Arc<str>, Arc<Place>>,
    lanes: BTreeMap<QueueName, BTreeSet<Lane>>,
    /// Queues with the prefix that were none of ours when they were last looked at, and when that
    /// was.
    strangers: BTreeMap<String, Timestamp>,
    looked_at: Option<Timestamp>,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            known: Mutex::default(),
            epoch: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn epoch(&self) -> u64 {
        *self.epoch.borrow()
    }

    pub(super) async fn changed(&self, known: u64) {
        let mut epoch = self.epoch.subscribe();
        // The sender lives as long as `self`: waiting for it cannot fail.
        let _ = epoch.wait_for(|epoch| *epoch > known).await;
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Place>> {
        self.lock().places.get(name).cloned()
    }

    /// All queues, by name.
    pub(super) fn places(&self) -> Vec<Arc<Place>> {
        self.lock().places.values().cloned().collect()
    }

    /// The queues of these lanes, the most urgent bands first.
    pub(super) fn of_lanes(&self, prefix: &Prefix, lanes: &[Lane]) -> Vec<Arc<Place>> {
        let known = self.lock();
        let names = Band::ALL.into_iter().flat_map(|band| {
            let names = lanes.iter().map(move |lane| prefix.queue(lane, band));
            names.collect::<Vec<_>>()
        });
        names
            .filter_map(|name| known.places.get(name.as_str()).cloned())
            .collect()
    }

    pub(super) fn lanes(&self, queue: &QueueName) -> Vec<Lane> {
        let known = self.lock();
        let lanes = known.lanes.get(queue).into_iter().flatten();
        lanes.cloned().collect()
    }

    /// Whether there is room for another queue.
    pub(super) fn has_room(&self) -> bool {
        self.lock().places.len() < SQS_QUEUES
    }

    /// Whether a queue with this name is to be looked at: it is not one of ours, as far as is
    /// known, or not for a while.
    pub(super) fn is_to_meet(&self, name: &str, now: Timestamp) -> bool {
        let known = self.lock();
        let met = known.strangers.get(name).copied();
        is_over(met, SQS_STRANGERS_EVERY, now) && !known.places.contains_key(name)
    }

    pub(super) fn learn(&self, name: String, url: String, lane: Lane, band: Band) -> Arc<Place> {
        let name: Arc<str> = name.into();
        let mut known = self.lock();
        let lanes = known.lanes.entry(lane.queue.clone()).or_default();
        lanes.insert(lane.clone());
        let place = Arc::new(Place {
            name: name.clone(),
            url,
            lane,
            band,
        });
        // Whoever waits for the lane waits at this queue, too.
        known.strangers.remove(&*name);
        let is_new = known.places.insert(name, place.clone()).is_none();
        drop(known);
        if is_new {
            self.epoch.send_modify(|epoch| *epoch += 1);
        }
        place
    }

    /// Notes a queue that is none of ours; whether it was not known to be.
    pub(super) fn learn_stranger(&self, name: String, now: Timestamp) -> bool {
        self.lock().strangers.insert(name, now).is_none()
    }

    /// Forgets a queue that is gone. Its lane stays known: its next message makes it again.
    pub(super) fn forget(&self, name: &str) {
        self.lock().places.remove(name);
    }

    /// Whether it is time to look for queues; whoever is told so does it.
    pub(super) fn is_time_to_look(&self, now: Timestamp) -> bool {
        let mut known = self.lock();
        let is_time = is_over(known.looked_at, SQS_LOOK_EVERY, now);
        if is_time {
            known.looked_at = Some(now);
        }
        is_time
    }
}

/// Whether so long has passed since then, or the clock was set back since.
fn is_over(then: Option<Timestamp>, every: Duration, now: Timestamp) -> bool {
    then.is_none_or(|then| then > now || Duration::from(now.since(then)) >= every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_was_none_of_ours_is_looked_at_again_after_a_while() {
        let directory = Directory::new();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        assert!(directory.is_to_meet("a", at(0)));
        assert!(directory.learn_stranger("a".to_owned(), at(0)));
        assert!(!directory.is_to_meet("a", at(59)));
        assert!(directory.is_to_meet("a", at(60)));
        assert!(
            !directory.learn_stranger("a".to_owned(), at(60)),
            "it is told once"
        );
        assert!(!directory.is_to_meet("a", at(119)));
        let lane = Lane {
            queue: QueueName::new("a").expect("a name"),
            resources: Default::default(),
        };
        drop(directory.learn("a".to_owned(), "url".to_owned(), lane, Band::ALL[0]));
        assert!(!directory.is_to_meet("a", at(1_000)), "it is ours");
        directory.forget("a");
        assert!(directory.is_to_meet("a", at(1_000)));
    }
}
