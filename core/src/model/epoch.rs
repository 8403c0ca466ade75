use serde::{Deserialize, Serialize};

/// How often a store may have gone back to an earlier state of its own, as a server does whose
/// replica takes over without its newest writes. Fencing tokens that were granted in a state
/// that is forgotten must not be granted again, so each epoch has tokens of its own.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// How many attempts of one task fit into an epoch. A power of ten, so that a person can
    /// read an attempt: 3,000,002 is the second one in epoch 3. Few enough that attempts stay
    /// below 2^53, which every reader of JSON can hold, where epochs follow a clock.
    pub const ATTEMPTS: u64 = 1_000_000;

    /// The fencing token that follows `attempt`.
    pub const fn next_attempt(self, attempt: u64) -> u64 {
        let before = self.0.saturating_mul(Self::ATTEMPTS);
        let last = if attempt > before { attempt } else { before };
        last + 1
    }
}
