//! What the log says of requests that fail: each, as long as they are few.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::limits;

/// How much the log was told lately.
#[derive(Debug, Default)]
pub struct Failures(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// When the span began in which lines are counted.
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Told {
    /// How many lines were left out before this one; `None` when this one is, too.
    fn line(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since: Instant| now.duration_since(since) >= limits::FAILURES_SPAN;
        if self.since.is_none_or(is_over) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines >= limits::FAILURES_LOGGED {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Failures {
    /// Tells of a request that failed, or of some of its items.
    pub(super) fn tell(&self, status: u16, route: &str, why: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = told.line(Instant::now());
        drop(told);
        match line {
            Some(0) => tracing::warn!(status, route, "a request failed: {why}"),
            Some(left_out) => tracing::warn!(
                status,
                route,
                left_out,
                "a request failed, as others did that are left out here: {why}"
            ),
            None => tracing::debug!(status, route, "a request failed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_the_log_is_told_of_some_failures_and_of_how_many_it_is_not() {
        let (mut told, start) = (Told::default(), Instant::now());
        for _ in 0..limits::FAILURES_LOGGED {
            assert_eq!(told.line(start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(told.line(start), None);
        }
        let later = start + limits::FAILURES_SPAN;
        assert_eq!(told.line(later), Some(7));
        assert_eq!(told.line(later), Some(0));
    }
}
