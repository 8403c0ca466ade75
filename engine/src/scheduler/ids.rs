use std::sync::{Mutex, PoisonError};

use russet_core::{Millis, PartitionId, TaskId, Timestamp, limits};

use crate::Entropy;

/// Makes task ids, in each partition each one higher than the one before: tasks that are
/// submitted together become ready in the order of their ids. A clock that is set back does not
/// change that.
#[derive(Debug, Default)]
pub struct TaskIds {
    /// The time and the low half of the newest id.
    newest: Mutex<(Timestamp, u64)>,
}

impl TaskIds {
    /// The ids of a workflow's tasks follow its own without a gap: the next id is beyond them.
    const STEP: u64 = limits::WORKFLOW_TASKS as u64 + 1;

    /// The next id. Within a millisecond the low half grows by random steps, so that the ids of
    /// two nodes do not meet.
    pub fn next(&self, now: Timestamp, partition: PartitionId, entropy: &dyn Entropy) -> TaskId {
        let random = entropy.next_u64();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, low) = *newest;
        *newest = match low.checked_add(Self::STEP + (random >> 32)) {
            Some(low) if now <= at => (at, low),
            None if now <= at => (at + Millis::new(1), random >> 1),
            // Half of all numbers are left for the others of the same millisecond.
            _ => (now, random >> 1),
        };
        TaskId::new(newest.0, partition, newest.1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The same number, always.
    struct Always(u64);

    impl Entropy for Always {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    fn made(
        ids: &TaskIds,
        entropy: &dyn Entropy,
        times: impl IntoIterator<Item = u64>,
    ) -> Vec<TaskId> {
        let next = |ms| ids.next(Timestamp::from_millis(ms), PartitionId(3), entropy);
        times.into_iter().map(next).collect()
    }

    #[test]
    fn ids_only_grow_whatever_the_clock_and_the_dice_say() {
        for random in [0, 1, u64::MAX / 3, u64::MAX] {
            let times = [5, 5, 9, 9, 2, 0, 9, 10, 10].into_iter();
            let times = times.chain(std::iter::repeat_n(10, 10_000)).chain([1]);
            let all = made(&TaskIds::default(), &Always(random), times);
            assert!(all.is_sorted_by(|a, b| a < b), "{random}");
            assert!(all.iter().all(|id| id.partition() == PartitionId(3)));
        }
    }

    #[test]
    fn an_id_of_a_new_millisecond_says_it_and_one_that_finds_no_room_takes_the_next() {
        let ids = TaskIds::default();
        let at = |ms, random| TaskId::new(Timestamp::from_millis(ms), PartitionId(3), random);
        assert_eq!(
            made(&ids, &Always(6), [70, 70]),
            [at(70, 3), at(70, 3 + TaskIds::STEP)]
        );
        *ids.newest.lock().expect("lock") = (Timestamp::from_millis(80), u64::MAX);
        assert_eq!(made(&ids, &Always(6), [80]), [at(81, 3)]);
    }

    #[test]
    fn ids_that_many_callers_ask_for_at_once_differ() {
        let ids = Arc::new(TaskIds::default());
        let callers = (0..4).map(|_| {
            let ids = ids.clone();
            std::thread::spawn(move || made(&ids, &Always(0), std::iter::repeat_n(1, 1_000)))
        });
        let callers: Vec<_> = callers.collect();
        let mut all: Vec<_> = callers
            .into_iter()
            .flat_map(|caller| caller.join().expect("ends"))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4_000);
    }
}
