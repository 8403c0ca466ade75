//! Records that cannot be read, where no answer tells of them: the log tells of each now and then,
//! and they are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use russet_core::Timestamp;
use rustc_hash::FxBuildHasher;

use crate::{StoreError, limits};

/// What a node has met of damage lately.
pub(super) struct Damage {
    /// When it was last told of what.
    told: Mutex<LruCache<String, Timestamp, FxBuildHasher>>,
    met: AtomicU64,
}

impl Damage {
    pub fn new() -> Self {
        Self {
            told: Mutex::new(LruCache::unbounded_with_hasher(FxBuildHasher)),
            met: AtomicU64::new(0),
        }
    }

    /// How many different errors were met, as far as they are remembered.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    /// Notes an error of a record; whether it is time to tell of it.
    pub fn is_news(&self, error: &StoreError, now: Timestamp) -> bool {
        let what = error.to_string();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(&what).copied();
        if before.is_some_and(|at| now < at + limits::DAMAGE_TOLD) {
            return false;
        }
        self.met
            .fetch_add(u64::from(before.is_none()), Ordering::Relaxed);
        told.put(what, now);
        while told.len() > limits::DAMAGE_REMEMBERED {
            told.pop_lru();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(n: usize) -> StoreError {
        let why = format!("the record {n} cannot be read");
        StoreError::Unreadable { why }
    }

    #[test]
    fn the_same_damage_is_told_now_and_then_and_counted_once() {
        let (damage, now) = (Damage::new(), Timestamp::from_millis(1_000));
        assert!(damage.is_news(&error(1), now));
        assert!(!damage.is_news(&error(1), now));
        assert!(damage.is_news(&error(2), now));
        assert!(damage.is_news(&error(1), now + limits::DAMAGE_TOLD));
        assert_eq!(damage.met(), 2);
    }

    #[test]
    fn bounded_no_more_damage_is_remembered_than_there_is_room_for() {
        let (damage, now) = (Damage::new(), Timestamp::from_millis(1_000));
        for n in 0..=limits::DAMAGE_REMEMBERED {
            assert!(damage.is_news(&error(n), now));
        }
        let told = damage.told.lock().expect("lock");
        assert_eq!(told.len(), limits::DAMAGE_REMEMBERED);
    }
}
