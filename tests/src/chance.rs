//! Random choices that a seed repeats.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The choices of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed in the variable `name`, or else a new one. It is printed, to be set again.
    pub fn seed_from(name: &str) -> u64 {
        let given = std::env::var(name).ok();
        #[expect(
            clippy::disallowed_methods,
            reason = "a test may draw a seed from the clock"
        )]
        let drawn = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.subsec_nanos())
        };
        let seed = given
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(drawn()));
        println!("{name}={seed}");
        seed
    }

    /// Choices of its own for part `number` of a test.
    pub fn part(seed: u64, number: u64) -> Self {
        let mut mixed = Self(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(mixed.next())
    }

    /// 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether something happens that does so `percent` times in a hundred.
    pub const fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
