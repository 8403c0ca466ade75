use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use russet_engine::Entropy;

/// A generator of random bits (SplitMix64): the same for the same seed, everywhere.
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    /// A generator for a purpose: different purposes of one seed have nothing in common.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let first = Self(AtomicU64::new(
            seed ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03),
        ));
        Self(AtomicU64::new(first.next_u64()))
    }

    /// A number in the range, which is not empty.
    pub fn within(&self, range: Range<u64>) -> u64 {
        range.start + self.next_u64() % (range.end - range.start).max(1)
    }

    /// True so many times in a million.
    pub fn in_a_million(&self, times: u64) -> bool {
        times > 0 && self.next_u64() % 1_000_000 < times
    }

    /// True so many times in a hundred.
    pub fn percent(&self, times: u64) -> bool {
        self.next_u64() % 100 < times
    }

    /// One of the items, which are not empty.
    pub fn one_of<'a, T>(&self, items: &'a [T]) -> &'a T {
        &items[self.within(0..items.len() as u64) as usize]
    }

    /// A number whose mean is `mean`: mostly smaller, sometimes much larger.
    pub fn around(&self, mean: u64) -> u64 {
        let uniform = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        (-(1.0 - uniform).ln() * mean as f64) as u64
    }
}

impl Entropy for Random {
    fn next_u64(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self
            .0
            .fetch_add(GAMMA, Ordering::Relaxed)
            .wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
