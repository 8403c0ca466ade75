use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use russet_core::{Lane, QueueName};
use rustc_hash::FxHashMap;

use super::lane::LaneState;
use crate::limits::{LANES_REMEMBERED, QUEUE_LANES};

/// Lanes by number. Hash maps are only looked up in, never walked through, so that nothing
/// depends on their order.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    numbers: FxHashMap<Arc<Lane>, u32>,
    lanes: Vec<Option<LaneState>>,
    free: Vec<u32>,
    forget_at: usize,
    queues: BTreeMap<QueueName, Known>,
}

/// Lanes of one queue that have held a task. Those that hold none any more are struck off when
/// there are many, since every receiver looks at all of them; a few may come and go unnoticed.
#[derive(Debug, Default)]
struct Known {
    lanes: BTreeSet<u32>,
    strike_at: usize,
}

impl Registry {
    pub(crate) fn find(&self, lane: &Lane) -> Option<u32> {
        self.numbers.get(lane).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&LaneState> {
        self.lanes.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut LaneState> {
        self.lanes.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &LaneState> {
        self.lanes.iter().flatten()
    }

    /// The lane's number, which it gets when it has none.
    pub(crate) fn number(&mut self, lane: &Lane) -> u32 {
        if let Some(number) = self.numbers.get(lane) {
            return *number;
        }
        if self.numbers.len() >= self.forget_at.max(LANES_REMEMBERED) {
            self.forget_idle();
        }
        let lane = Arc::new(lane.clone());
        let number = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(None);
            self.lanes.len() as u32 - 1
        });
        self.lanes[number as usize] = Some(LaneState::new(lane.clone()));
        self.numbers.insert(lane, number);
        number
    }

    /// Enters a lane that holds a task among those of its queue; whether it is new there.
    pub(crate) fn make_known(&mut self, number: u32) -> bool {
        let Some(state) = self.get_mut(number) else {
            return false;
        };
        if std::mem::replace(&mut state.known, true) {
            return false;
        }
        let queue = state.lane.queue.clone();
        let known = self.queues.entry(queue.clone()).or_default();
        known.lanes.insert(number);
        if known.lanes.len() > known.strike_at.max(QUEUE_LANES) {
            self.strike_off(&queue, number);
        }
        true
    }

    pub(crate) fn of_queue(&self, queue: &QueueName) -> Vec<Lane> {
        let known = self.queues.get(queue).into_iter();
        known
            .flat_map(|known| &known.lanes)
            .filter_map(|number| self.get(*number))
            .map(|state| (*state.lane).clone())
            .collect()
    }

    /// Strikes lanes of a queue that hold no task off its known ones, all but `newest`. Whoever
    /// waits for such a lane goes on waiting: it is known again with its next task.
    fn strike_off(&mut self, queue: &QueueName, newest: u32) {
        let Some(known) = self.queues.get_mut(queue) else {
            return;
        };
        let lanes = &mut self.lanes;
        known.lanes.retain(|number| {
            let state = lanes.get_mut(*number as usize).and_then(Option::as_mut);
            state.is_some_and(|state| {
                state.known = *number == newest || state.holds_tasks();
                state.known
            })
        });
        known.strike_at = known.lanes.len() * 2;
    }

    fn forget_idle(&mut self) {
        for (number, slot) in self.lanes.iter_mut().enumerate() {
            let number = number as u32;
            let Some(state) = slot.take_if(|state| state.is_idle()) else {
                continue;
            };
            self.numbers.remove(&state.lane);
            self.free.push(number);
            if let Some(known) = self.queues.get_mut(&state.lane.queue) {
                known.lanes.remove(&number);
                if known.lanes.is_empty() {
                    self.queues.remove(&state.lane.queue);
                }
            }
        }
        self.forget_at = self.numbers.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{ResourceName, Resources, TaskId};

    use super::*;
    use crate::index::keys::Place;

    fn lane(n: usize) -> Lane {
        Lane {
            queue: QueueName::new(format!("queue-{n}")).expect("a name"),
            resources: Resources::NONE,
        }
    }

    #[test]
    fn lanes_that_hold_nothing_are_forgotten_when_there_are_many() {
        let mut registry = Registry::default();
        let place = Place {
            score: 1,
            task: TaskId::from_u128(1),
        };
        for n in 0..LANES_REMEMBERED * 3 {
            let number = registry.number(&lane(n));
            assert!(registry.make_known(number));
            assert!(!registry.make_known(number));
            if n < 10 {
                let state = registry.get_mut(number).expect("a lane");
                state.ready.insert(place);
            }
        }
        assert!(registry.lanes.len() <= LANES_REMEMBERED + 1);
        for n in 0..10 {
            assert_eq!(registry.of_queue(&lane(n).queue), [lane(n)]);
        }
        assert_eq!(registry.of_queue(&lane(11).queue), []);
    }

    fn of_one_queue(n: u64) -> Lane {
        let cpu = ResourceName::new("cpu").expect("a name");
        Lane {
            queue: QueueName::new("queue").expect("a name"),
            resources: [(cpu, n)].into_iter().collect(),
        }
    }

    #[test]
    fn bounded_lanes_of_a_queue_that_hold_nothing_are_unknown_until_their_next_task() {
        let mut registry = Registry::default();
        let place = Place {
            score: 1,
            task: TaskId::from_u128(1),
        };
        let queue = of_one_queue(1).queue;
        let first = registry.number(&of_one_queue(1));
        registry.get_mut(first).expect("a lane").ready.insert(place);
        for n in 1..=QUEUE_LANES as u64 * 3 {
            let number = registry.number(&of_one_queue(n));
            // Somebody waits for each of them.
            registry.get_mut(number).expect("a lane").tickets.insert(n);
            assert!(registry.make_known(number));
            assert!(registry.of_queue(&queue).len() <= QUEUE_LANES);
        }
        assert!(!registry.make_known(first), "it holds a task");
        let struck = registry.find(&of_one_queue(2)).expect("it is remembered");
        assert!(!registry.of_queue(&queue).contains(&of_one_queue(2)));
        assert!(registry.make_known(struck));
        assert!(registry.of_queue(&queue).contains(&of_one_queue(2)));
    }
}
