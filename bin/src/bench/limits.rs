//! Every bound of a benchmark.

use std::ops::RangeInclusive;

/// How long each timed part runs, in seconds.
pub const SECONDS: RangeInclusive<f64> = 0.1..=3_600.0;
/// How often each suite runs.
pub const REPEATS: RangeInclusive<u64> = 1..=1_000;
/// Tasks in the suite `size`.
pub const TASKS: RangeInclusive<u64> = 1..=1_000_000_000;
