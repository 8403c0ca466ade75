use std::time::Duration;

use russet_core::limits::DURATION_MAX;
use russet_engine::Entropy;
use tokio::time::Instant;

/// As good as for ever, and not beyond what a clock can show.
const FOR_EVER: Duration = Duration::from_millis(DURATION_MAX.as_millis());

/// When a wait is over that began at `start`, however long it is.
pub(crate) fn later(start: Instant, wait: Duration) -> Instant {
    start + wait.min(FOR_EVER)
}

/// Pauses that double, each with up to half of itself taken off at random, so that those who
/// failed together do not come back together.
pub(crate) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Pauses from `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// The next pause, at least `least`.
    pub fn pause(&mut self, least: Duration, entropy: &dyn Entropy) -> Duration {
        let full = self.next.min(self.most);
        self.next = (full * 2).min(self.most);
        let off = full.mul_f64((entropy.next_u64() >> 12) as f64 / (1u64 << 53) as f64);
        (full - off).max(least.min(self.most))
    }
}

#[cfg(test)]
mod tests {
    use russet_engine::SystemEntropy;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_with_at_most_half_taken_off() {
        let entropy = SystemEntropy::new();
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(40));
        for full in [10, 20, 40, 40] {
            let pause = backoff.pause(Duration::ZERO, &entropy);
            let full = Duration::from_millis(full);
            assert!(pause <= full && pause >= full / 2, "{pause:?} of {full:?}");
        }
    }

    #[test]
    fn a_pause_is_as_long_as_the_server_asks_for_within_the_bound() {
        let entropy = SystemEntropy::new();
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(40));
        let asked = Duration::from_millis(30);
        assert!(backoff.pause(asked, &entropy) >= asked);
        assert_eq!(
            backoff.pause(asked * 10, &entropy),
            Duration::from_millis(40)
        );
    }
}
