//! What every store is.

pub mod cas;
pub mod listings;
pub mod stats;
pub mod timers;
pub mod transactions;
