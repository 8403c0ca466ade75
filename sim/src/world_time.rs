//! Where simulated time stands against the calendar.

/// What a right clock shows when the world begins, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_800_000_000_000;
