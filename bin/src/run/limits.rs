//! Every bound of a run. Those of the workflow file are in [`crate::workflow::limits`].

use std::time::Duration;

use russet_core::Millis;

/// Most tasks that run at once.
pub const CONCURRENCY: usize = 10_000;
/// How many tasks run at once when all of them only sleep, unless the user says otherwise.
pub const SLEEPERS: usize = 64;
/// Largest and smallest factor by which sleeps are shortened.
pub const SPEEDUP: std::ops::RangeInclusive<f64> = 1e-3..=1e9;
/// Retries of a task that names none.
pub const RETRIES: u32 = 3;
/// First backoff of a task that names none.
pub const RETRY_DELAY: Millis = Millis::from_secs(1);
/// How long a lease lasts. Scheduler and worker are one process, whose death the data
/// directory's lock proves, so that a lease guards against nothing but a bug.
pub const LEASE: Millis = russet_core::limits::LEASE_MAX;
/// The head start of one priority over the next, so long that ready tasks are started by
/// priority, then by longest remaining path, and only then by waiting time.
pub const AGING: Millis = Millis::from_days(3_650);
/// How long finished tasks are kept: as long as possible, since they are what a later session
/// goes on from.
pub const RETENTION: Millis = russet_core::limits::DURATION_MAX;
/// How long running tasks may go on after the first Ctrl-C.
pub const STOP_GRACE: Duration = Duration::from_secs(30);
/// How long a command may go on after SIGTERM before it gets SIGKILL.
pub const KILL_GRACE: Duration = Duration::from_secs(5);
/// How much of the end of a command's output is kept with its task, in bytes.
pub const OUTPUT_BYTES: u64 = 2 * 1024;
/// How long the end of another session is awaited before the data directory counts as in use:
/// after a SIGKILL its commands are still being ended.
pub const LOCK_WAIT: Duration = Duration::from_secs(3);
/// How often the lock is tried meanwhile.
pub const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How often what did not succeed can be submitted once more.
pub const ROUNDS: usize = 500;
/// Size of the file that says which workflow a data directory belongs to.
pub const IDENTITY_BYTES: u64 = 64 * 1024;
/// Most leases that are given back in one transaction.
pub const RELEASES_AT_ONCE: usize = 100;
/// Running tasks that the progress display shows; further ones are counted.
pub const ROWS: usize = 8;
/// Failed tasks that the summary describes; further ones are counted.
pub const FAILURES: usize = 100;
/// Tasks of the longest path that the summary names.
pub const PATH_NAMES: usize = 8;
/// Longest name or message on one line of the display, in characters.
pub const SHOWN_CHARS: usize = 100;
/// Longest bar of the display, in characters.
pub const BAR_CHARS: usize = 30;
/// Shortest bar that tells anything, in characters.
pub const BAR_CHARS_LEAST: usize = 5;
/// Columns and lines of a terminal that does not say how many it has.
pub const TERMINAL: (usize, usize) = (80, 24);
/// How often bars move although nothing happens.
pub const REDRAW: Duration = Duration::from_millis(100);
/// How long bars stay as they are at least, however much happens.
pub const REDRAW_PAUSE: Duration = Duration::from_millis(50);
/// Tasks on one page when an earlier run is looked through.
pub const PAGE: usize = 1_000;
