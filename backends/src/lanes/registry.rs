use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use russet_core::{Lane, QueueName};
use rustc_hash::FxHashMap;

use super::lane::LaneState;
use crate::limits::LANES_REMEMBERED;

/// Lanes by number. Hash maps are only looked up in, never walked through, so that nothing
/// depends on their order.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    numbers: FxHashMap<Arc<Lane>, u32>,
    lanes: Vec<Option<LaneState>>,
    free: Vec<u32>,
    forget_at: usize,
    /// Lanes that have held a task.
    queues: BTreeMap<QueueName, BTreeSet<u32>>,
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
        self.queues.entry(queue).or_default().insert(number)
    }

    pub(crate) fn of_queue(&self, queue: &QueueName) -> Vec<Lane> {
        let numbers = self.queues.get(queue).into_iter().flatten();
        numbers
            .filter_map(|number| self.get(*number))
            .map(|state| (*state.lane).clone())
            .collect()
    }

    fn forget_idle(&mut self) {
        for (number, slot) in self.lanes.iter_mut().enumerate() {
            let number = number as u32;
            let Some(state) = slot.take_if(|state| state.is_idle()) else {
                continue;
            };
            self.numbers.remove(&state.lane);
            self.free.push(number);
            if let Some(numbers) = self.queues.get_mut(&state.lane.queue) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.queues.remove(&state.lane.queue);
                }
            }
        }
        self.forget_at = self.numbers.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{Resources, TaskId};

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
}
