//! Who asked for work lately, and what they can hold: good enough to say that nobody can run a
//! task, and bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use russet_core::{Millis, QueueName, ResourceName, Resources, Timestamp, WorkerId, policy};

use crate::{LeaseRequest, limits};

/// The workers that this node has seen.
#[derive(Debug, Default)]
pub struct Workers(Mutex<HashMap<WorkerId, Seen>>);

#[derive(Debug)]
struct Seen {
    at: Timestamp,
    queues: Vec<QueueName>,
    /// The most that it ever had free; `None`: it does not count resources.
    capacity: Option<Resources>,
    /// The most tasks that it ever asked for at once: as many as it runs when it is idle.
    most: usize,
}

impl Workers {
    /// Remembers who asks, for which queues, and with how much free.
    pub(crate) fn saw(&self, request: &LeaseRequest, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&request.worker) && known.len() >= limits::WORKERS {
            make_room(&mut known, now);
        }
        let seen = known.entry(request.worker.clone()).or_insert_with(|| Seen {
            at: now,
            queues: Vec::new(),
            capacity: Some(Resources::NONE),
            most: 0,
        });
        seen.at = now;
        seen.most = seen.most.max(request.max);
        for queue in &request.queues {
            if seen.queues.len() < limits::WORKER_QUEUES && !seen.queues.contains(queue) {
                seen.queues.push(queue.clone());
            }
        }
        let before = seen.capacity.take();
        seen.capacity = match (before, &request.capacity) {
            (Some(before), Some(free)) if before == *free => Some(before),
            (Some(before), Some(free)) => {
                let both = larger(&before, free);
                // Whoever counts ever more resources is known by its last words.
                let fits = both.len() <= limits::LEASE_RESOURCES;
                Some(if fits { both } else { free.clone() })
            }
            _ => None,
        };
    }

    /// Forgets a worker that has stopped; whether it was known. When it asks again, it is back.
    pub fn left(&self, worker: &WorkerId) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(worker).is_some()
    }

    /// Whether the worker has asked for tasks and has not signed off.
    pub fn knows(&self, worker: &WorkerId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(worker)
    }

    /// What can be said about who may run a task of `queue` that needs `needs`.
    pub fn who_fits(&self, queue: &QueueName, needs: &Resources, now: Timestamp) -> WhoFits {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut serving = known
            .values()
            .filter(|seen| is_live(seen, now) && seen.queues.contains(queue))
            .peekable();
        if serving.peek().is_none() {
            return WhoFits::NobodyServes;
        }
        if serving.any(|seen| policy::fits(needs, seen.capacity.as_ref())) {
            WhoFits::Somebody
        } else {
            WhoFits::NobodyFits
        }
    }

    /// How many tasks a worker of `queue` runs at once: the most that a live one ever asked for;
    /// `None` when there is none.
    pub fn per_worker(&self, queue: &QueueName, now: Timestamp) -> Option<u32> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = known.values().filter(|seen| is_live(seen, now));
        let serving = live.filter(|seen| seen.queues.contains(queue));
        u32::try_from(serving.map(|seen| seen.most).max()?).ok()
    }

    /// When a worker last asked for tasks of `queue`.
    pub fn last_asked(&self, queue: &QueueName) -> Option<Timestamp> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let serving = known.values().filter(|seen| seen.queues.contains(queue));
        serving.map(|seen| seen.at).max()
    }

    /// How many workers are live.
    pub fn live(&self, now: Timestamp) -> usize {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter(|seen| is_live(seen, now)).count()
    }
}

/// Whether any live worker may run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhoFits {
    /// A live worker serves the queue and has the resources.
    Somebody,
    /// Live workers serve the queue, and none has the resources.
    NobodyFits,
    /// No live worker serves the queue.
    NobodyServes,
}

fn is_live(seen: &Seen, now: Timestamp) -> bool {
    now.since(seen.at) <= Millis::new(limits::WORKER_LIVE.as_millis() as u64)
}

/// Forgets those that are not live, or else the one that was not seen for longest.
fn make_room(known: &mut HashMap<WorkerId, Seen>, now: Timestamp) {
    known.retain(|_, seen| is_live(seen, now));
    if known.len() < limits::WORKERS {
        return;
    }
    let oldest = known.iter().min_by_key(|(_, seen)| seen.at);
    if let Some(oldest) = oldest.map(|(worker, _)| worker.clone()) {
        known.remove(&oldest);
    }
}

fn larger(one: &Resources, other: &Resources) -> Resources {
    let names = one.iter().chain(other.iter()).map(|(name, _)| name);
    let mut most: Vec<(ResourceName, u64)> = names
        .map(|name| (name.clone(), one.amount(name).max(other.amount(name))))
        .collect();
    most.sort();
    most.dedup();
    most.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resources(amounts: &[(&str, u64)]) -> Resources {
        let named = |(name, n): &(&str, u64)| (ResourceName::new(name).expect("a name"), *n);
        amounts.iter().map(named).collect()
    }

    fn queue() -> QueueName {
        QueueName::new("q").expect("a name")
    }

    fn request(worker: &str, capacity: Option<Resources>) -> LeaseRequest {
        LeaseRequest {
            queues: vec![queue()],
            worker: WorkerId(worker.into()),
            capacity,
            max: 1,
            duration: None,
            wait: Duration::ZERO,
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_worker_that_names_ever_more_resources_is_known_by_the_last() {
        let workers = Workers::default();
        for n in 0..10 * limits::LEASE_RESOURCES {
            let name = format!("r{n}");
            workers.saw(&request("w", Some(resources(&[(&name, 1)]))), NOW);
        }
        let known = workers.0.lock().expect("is whole");
        let capacity = known
            .values()
            .next()
            .and_then(|seen| seen.capacity.as_ref());
        let names = capacity.map_or(0, |capacity| capacity.len());
        assert!((1..=limits::LEASE_RESOURCES).contains(&names), "{names}");
    }

    #[test]
    fn a_busy_worker_counts_with_all_that_it_once_had_free() {
        let workers = Workers::default();
        workers.saw(&request("w", Some(resources(&[("cpu", 4)]))), NOW);
        workers.saw(
            &request("w", Some(resources(&[("cpu", 1), ("gpu", 1)]))),
            NOW,
        );
        let fits = |needs: &[(&str, u64)]| workers.who_fits(&queue(), &resources(needs), NOW);
        assert_eq!(fits(&[("cpu", 4), ("gpu", 1)]), WhoFits::Somebody);
        assert_eq!(fits(&[("cpu", 5)]), WhoFits::NobodyFits);
    }

    #[test]
    fn a_worker_that_counts_nothing_takes_everything() {
        let workers = Workers::default();
        workers.saw(&request("w", None), NOW);
        let needs = resources(&[("gpu", 8)]);
        assert_eq!(workers.who_fits(&queue(), &needs, NOW), WhoFits::Somebody);
    }

    #[test]
    fn a_worker_that_was_silent_for_long_is_not_live() {
        let workers = Workers::default();
        workers.saw(&request("w", None), NOW);
        let later = NOW + Millis::new(limits::WORKER_LIVE.as_millis() as u64 + 1);
        let fits = workers.who_fits(&queue(), &Resources::NONE, later);
        assert_eq!((fits, workers.live(later)), (WhoFits::NobodyServes, 0));
    }

    #[test]
    fn a_worker_that_left_is_not_live_until_it_asks_again() {
        let workers = Workers::default();
        let worker = WorkerId("w".into());
        assert!(!workers.left(&worker));
        workers.saw(&request("w", None), NOW);
        workers.saw(&request("other", None), NOW);
        assert!(workers.left(&worker));
        assert_eq!((workers.knows(&worker), workers.live(NOW)), (false, 1));
        workers.saw(&request("w", None), NOW);
        assert_eq!((workers.knows(&worker), workers.live(NOW)), (true, 2));
    }

    #[test]
    fn a_worker_runs_as_many_tasks_as_it_asked_for_when_it_was_idle() {
        let workers = Workers::default();
        assert_eq!(workers.per_worker(&queue(), NOW), None);
        for max in [3, 8, 1] {
            workers.saw(
                &LeaseRequest {
                    max,
                    ..request("w", None)
                },
                NOW,
            );
        }
        assert_eq!(workers.per_worker(&queue(), NOW), Some(8));
        let later = NOW + Millis::new(limits::WORKER_LIVE.as_millis() as u64 + 1);
        assert_eq!(workers.per_worker(&queue(), later), None);
    }

    #[test]
    fn the_number_of_workers_is_bounded() {
        let workers = Workers::default();
        for number in 0..limits::WORKERS + 5 {
            workers.saw(&request(&number.to_string(), None), NOW);
        }
        assert_eq!(workers.live(NOW), limits::WORKERS);
    }
}
