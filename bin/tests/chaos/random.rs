use std::time::Duration;

/// Numbers that look random and are the same every time.
pub struct Random(u64);

impl Random {
    /// Of this seed, or of the one that the environment names; it is printed.
    pub fn seeded(what: &str, seed: u64) -> Self {
        let named = std::env::var("RUSSET_CHAOS_SEED").ok();
        let seed = named.map_or(seed, |seed| {
            seed.parse().expect("RUSSET_CHAOS_SEED is a number")
        });
        println!("{what}: RUSSET_CHAOS_SEED={seed}");
        Self(seed)
    }

    /// Others, which go their own way.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something happens that does so this often of a hundred times.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// A time from `least` to `most`, in milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// Waits so long.
    pub fn pause(&mut self, least: u64, most: u64) {
        std::thread::sleep(self.millis(least, most));
    }
}
