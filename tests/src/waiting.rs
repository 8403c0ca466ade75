//! Waiting for what must come.

use std::time::{Duration, Instant};

/// What `look` finds within `patience`, looking again and again; `None` when time is up.
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What `look` finds within half a minute.
///
/// # Panics
/// When it does not come.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    let found = within(Duration::from_secs(30), look);
    found.unwrap_or_else(|| panic!("waited in vain: {what}"))
}
