use crate::{Millis, Timestamp};

/// A ready task's place in its lane, lowest first. Priority is a head start in time, so that
/// a task waits at most for those that became ready `9 * aging` after it. An `aging` of zero is
/// no head start at all: first in, first out.
///
/// A rank places a task within its priority: up to one `aging` ahead of it.
pub fn ready_score(ready_at: Timestamp, priority: u8, rank: Option<u16>, aging: Millis) -> i64 {
    let aging = u128::from(aging.as_millis());
    let aging = match crate::planted!(PriorityStarves) {
        true => aging * 1_000,
        false => aging,
    };
    let whole = u128::from(priority) * aging;
    let part = u128::from(rank.unwrap_or(0)) * aging / (u128::from(u16::MAX) + 1);
    let head_start = i64::try_from(whole + part).unwrap_or(i64::MAX / 2);
    i64::try_from(ready_at.as_millis())
        .unwrap_or(i64::MAX)
        .saturating_sub(head_start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_starvation_an_old_task_beats_every_one_ready_nine_agings_later(
            ready in 0u64..1 << 44, aging in 1u64..1 << 30,
            old in 0u8..=9, young in 0u8..=9, rank: u16,
        ) {
            let aging = Millis::new(aging);
            let later = Timestamp::from_millis(ready) + aging.times(10);
            prop_assert!(
                ready_score(Timestamp::from_millis(ready), old, None, aging)
                    < ready_score(later, young, Some(rank), aging)
            );
        }

        #[test]
        fn urgent_tasks_go_first_among_those_ready_at_once(
            ready in 0u64..1 << 44, aging in 1u64..1 << 30, p in 0u8..9, rank: u16,
        ) {
            let at = Timestamp::from_millis(ready);
            let aging = Millis::new(aging);
            prop_assert!(ready_score(at, p + 1, None, aging) < ready_score(at, p, None, aging));
            prop_assert!(ready_score(at, p, Some(rank), aging) <= ready_score(at, p, None, aging));
        }

        #[test]
        fn an_aging_of_zero_leaves_the_order_to_time_alone(
            ready in 0u64..1 << 44, priority in 0u8..=9, rank: u16,
        ) {
            let at = Timestamp::from_millis(ready);
            let score = ready_score(at, priority, Some(rank), Millis::ZERO);
            prop_assert_eq!(score, ready as i64);
        }
    }
}
