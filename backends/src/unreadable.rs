//! Index entries that cannot be read. They are left out, so that all others are found; the log
//! tells of each once, and they are counted.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::limits::{UNREADABLE_ENTRIES, UNREADABLE_SHOWN};

/// The entries of a store that could not be read, as far as they are told apart.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    seen: Mutex<BTreeSet<u64>>,
}

impl Unreadable {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len() as u64
    }

    /// Notes an entry of an index; the log tells of it when it is met for the first time, and how
    /// it is removed.
    pub(crate) fn note(&self, index: &str, entry: &[u8], removal: &str) {
        let mut hasher = DefaultHasher::new();
        (index, entry).hash(&mut hasher);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= UNREADABLE_ENTRIES || !seen.insert(hasher.finish()) {
            return;
        }
        drop(seen);
        let entry = &entry[..entry.len().min(UNREADABLE_SHOWN)];
        tracing::error!(
            index,
            entry = %entry.escape_ascii(),
            "an index entry cannot be read and is left out, all others are found: the task that \
             it was for may wait for ever. Restore the store from a backup, or, where it is of \
             no task, {removal}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_an_entry_is_counted_once_and_no_more_are_told_apart_than_there_is_room_for() {
        let unreadable = Unreadable::default();
        for entry in [b"a", b"a", b"b"] {
            unreadable.note("timers", entry, "remove it");
        }
        unreadable.note("lanes", b"a", "remove it");
        assert_eq!(unreadable.count(), 3);
        for entry in 0..=UNREADABLE_ENTRIES {
            unreadable.note("timers", &entry.to_be_bytes(), "remove it");
        }
        assert_eq!(unreadable.count(), UNREADABLE_ENTRIES as u64);
    }
}
