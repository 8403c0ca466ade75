use crate::{Millis, RetryPolicy};

/// How long to wait before the next try after `retries` earlier ones: the first backoff
/// doubled each time, at most the cap (which holds for the first one, too), plus up to `jitter_percent` of it by `random`.
/// Jitter only ever adds, so that no task is tried before its backoff.
pub fn backoff(policy: &RetryPolicy, retries: u32, random: u64) -> Millis {
    let factor = 1u64.checked_shl(retries).unwrap_or(u64::MAX);
    let doubled = policy.backoff.times(factor);
    let plain = doubled.min(policy.backoff_cap).as_millis();
    let widest = u128::from(plain) * u128::from(policy.jitter_percent) / 100;
    let jitter = u128::from(random) % (widest + 1);
    Millis::new(plain) + Millis::new(jitter as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn backoff_grows_to_its_cap_and_jitter_only_adds(
            base in 0u64..1 << 40, cap in 0u64..1 << 40, jitter in 0u8..=100, n in 0u32..200, random: u64,
        ) {
            let policy = RetryPolicy {
                max_retries: 10,
                backoff: Millis::new(base),
                backoff_cap: Millis::new(cap),
                jitter_percent: jitter,
            };
            let plain = backoff(&policy, n, 0);
            prop_assert!(plain <= policy.backoff_cap);
            prop_assert!(plain <= backoff(&policy, n + 1, 0));
            let jittered = backoff(&policy, n, random);
            prop_assert!(jittered >= plain);
            prop_assert!(jittered.as_millis() <= plain.as_millis() * 2);
        }
    }

    #[test]
    fn a_cap_below_the_first_backoff_is_every_backoff() {
        let policy = RetryPolicy {
            backoff: Millis::from_secs(60),
            backoff_cap: Millis::from_secs(5),
            ..RetryPolicy::default()
        };
        for retries in [0, 1, 100] {
            assert_eq!(backoff(&policy, retries, 0), Millis::from_secs(5));
        }
    }

    #[test]
    fn without_a_backoff_every_retry_comes_at_once() {
        let policy = RetryPolicy {
            backoff: Millis::ZERO,
            ..RetryPolicy::default()
        };
        for retries in [0, 63, 64, 10_000] {
            assert_eq!(backoff(&policy, retries, 0), Millis::ZERO, "{retries}");
        }
    }

    #[test]
    fn a_first_backoff_is_not_cut_by_the_default_cap() {
        let two_hours = Millis::from_secs(7_200);
        let policy = RetryPolicy::default().with_backoff(two_hours);
        assert_eq!(backoff(&policy, 0, 0), two_hours);
        assert_eq!(backoff(&policy, 9, 0), two_hours);
        let policy = policy.with_backoff(Millis::from_secs(1));
        assert_eq!(backoff(&policy, 1, 0), Millis::from_secs(2));
    }

    #[test]
    fn the_default_backoff_doubles_from_one_second_to_an_hour() {
        let policy = RetryPolicy::default();
        assert_eq!(backoff(&policy, 0, 0), Millis::from_secs(1));
        assert_eq!(backoff(&policy, 3, 0), Millis::from_secs(8));
        assert_eq!(backoff(&policy, 30, 0), Millis::from_secs(3_600));
    }
}
