//! Time and randomness: nothing else in the engine reads a clock or draws a number.

use std::time::Duration;

use async_trait::async_trait;
use russet_core::Timestamp;

/// A node's clock.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now, in milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// A node's source of random bits.
pub trait Entropy: Send + Sync + 'static {
    /// 64 random bits.
    fn next_u64(&self) -> u64;

    /// 128 random bits.
    fn next_u128(&self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0)))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A fast generator seeded once by the operating system.
#[derive(Debug)]
pub struct SystemEntropy(std::sync::atomic::AtomicU64);

impl SystemEntropy {
    /// A freshly seeded generator.
    pub fn new() -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed()))
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(madsim))]
fn seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}

#[cfg(madsim)]
fn seed() -> u64 {
    madsim::rand::random()
}

impl Entropy for SystemEntropy {
    /// SplitMix64 over an atomic counter (Steele, Lea and Flood, 2014).
    fn next_u64(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self
            .0
            .fetch_add(GAMMA, std::sync::atomic::Ordering::Relaxed)
            .wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
