//! Timers that are held back, since firing them fails by itself: a record cannot be read, say.
//! They stay due, and earlier than those of all others, so a look has to see past them.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::Timestamp;

use crate::{Due, limits};

/// The timers of a partition that are held back, and when each is tried again.
#[derive(Default)]
pub(super) struct Held(BTreeMap<Due, Timestamp>);

impl Held {
    /// How many timers to ask for, so that as many as are fired together are among them.
    pub fn page(&self) -> usize {
        limits::TIMER_BATCH + self.0.len()
    }

    /// Forgets those that are not due any more, because others fired or removed them. `due` is
    /// all that is due before `until`.
    pub fn forget_gone(&mut self, due: &[Due], until: Timestamp) {
        if self.0.is_empty() {
            return;
        }
        let due: BTreeSet<&Due> = due.iter().collect();
        self.0
            .retain(|held, _| held.at >= until || due.contains(held));
    }

    /// Those of the timers that are to be fired: all that are not held back, and a few of the
    /// others whose time has come.
    pub fn select(&self, due: Vec<Due>, now: Timestamp) -> Vec<Due> {
        let mut tries = 0..limits::HELD_TIMER_TRIES;
        let is_ready = |due: &Due| match self.0.get(due) {
            None => true,
            Some(again) => *again <= now && tries.next().is_some(),
        };
        due.into_iter().filter(is_ready).collect()
    }

    /// Holds a timer back; whether it was not before. `None`: there are too many.
    pub fn hold(&mut self, due: Due, now: Timestamp) -> Option<bool> {
        let is_new = !self.0.contains_key(&due);
        if is_new && self.0.len() >= limits::HELD_TIMERS {
            return None;
        }
        self.0.insert(due, now + limits::HELD_TIMER_PAUSE);
        Some(is_new)
    }

    /// The timer was fired; whether it was held back.
    pub fn release(&mut self, due: &Due) -> bool {
        self.0.remove(due).is_some()
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{PartitionId, TaskId, TimerKey};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn due(n: usize) -> Due {
        let at = Timestamp::from_millis(n as u64);
        let timer = TimerKey::Task(TaskId::new(at, PartitionId(0), 1));
        Due { at, timer }
    }

    fn held(count: usize) -> Held {
        let mut held = Held::default();
        for n in 0..count {
            assert_eq!(held.hold(due(n), NOW), Some(true));
        }
        held
    }

    #[test]
    fn bounded_no_more_timers_are_held_back_than_there_is_room_for() {
        let mut held = held(limits::HELD_TIMERS);
        assert_eq!(held.hold(due(limits::HELD_TIMERS), NOW), None);
        assert_eq!(held.hold(due(0), NOW), Some(false));
        assert_eq!(held.page(), limits::HELD_TIMERS + limits::TIMER_BATCH);
        assert!(held.release(&due(0)));
        assert_eq!(held.hold(due(limits::HELD_TIMERS), NOW), Some(true));
    }

    #[test]
    fn a_timer_that_is_held_back_is_tried_again_after_a_pause_with_a_few_others() {
        let held = held(100);
        let all: Vec<Due> = (0..101).map(due).collect();
        assert_eq!(held.select(all.clone(), NOW), [due(100)]);
        let again = held.select(all, NOW + limits::HELD_TIMER_PAUSE);
        assert_eq!(again.len(), limits::HELD_TIMER_TRIES + 1);
    }

    #[test]
    fn what_is_not_due_any_more_is_forgotten_as_far_as_the_look_went() {
        let mut held = held(4);
        held.forget_gone(&[due(1)], Timestamp::from_millis(3));
        let kept: Vec<Due> = held.0.into_keys().collect();
        assert_eq!(kept, [due(1), due(3)]);
    }
}
