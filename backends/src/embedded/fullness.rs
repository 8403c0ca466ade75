use std::sync::{Mutex, PoisonError};

use russet_core::Timestamp;
use russet_engine::StoreError;

use crate::limits::FULL_REMEMBERED;

/// Whether there was no room for what was written lately.
#[derive(Debug, Default)]
pub(crate) struct Fullness(Mutex<Option<Refused>>);

#[derive(Debug)]
struct Refused {
    why: String,
    at: Timestamp,
    /// Something else was written since.
    is_over: bool,
}

impl Fullness {
    /// Notes what became of a commit.
    pub(crate) fn note(&self, failed: Option<&StoreError>, now: Timestamp) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (failed, refused.as_mut()) {
            (Some(StoreError::Full { why }), _) => {
                *refused = Some(Refused {
                    why: why.clone(),
                    at: now,
                    is_over: false,
                });
            }
            (None, Some(refused)) => refused.is_over = true,
            _ => {}
        }
    }

    /// Why there is no room. What is small may be written where what is larger is not: so one
    /// that was is believed after a while only.
    pub(crate) fn why(&self, now: Timestamp) -> Option<String> {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |refused: &&Refused| !refused.is_over || now < refused.at + FULL_REMEMBERED;
        refused
            .as_ref()
            .filter(lasts)
            .map(|refused| refused.why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_room_until_something_was_written_and_a_while_has_passed() {
        let (fullness, start) = (Fullness::default(), Timestamp::from_millis(1_000));
        let later = start + FULL_REMEMBERED;
        fullness.note(None, start);
        assert_eq!(fullness.why(start), None);
        let why = "the disk".to_owned();
        let full = StoreError::Full { why: why.clone() };
        fullness.note(Some(&full), start);
        assert_eq!(fullness.why(later), Some(why.clone()));
        fullness.note(None, start);
        assert_eq!(fullness.why(start), Some(why));
        assert_eq!(fullness.why(later), None);
    }
}
