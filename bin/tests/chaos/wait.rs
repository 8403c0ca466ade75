use std::time::{Duration, Instant};

/// Longest wait for anything that has to happen: generous, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(25));
    }
}
