//! Everything in memory: for tests, for the simulator's fastest world, and for work that may
//! be lost. Nothing survives the process.
//!
//! [`Memory`] is a store that is its own queue. [`MemoryQueue`] is a queue by itself: with a
//! [`Memory`] that is only used as a store it makes a split pair.

mod alone;
mod queue;
mod records;
mod store;

pub use alone::{Fate, MemoryQueue};
pub use store::Memory;
