//! Russet's engine: the seams to the outside ([`Store`], [`Queue`], [`Clock`], [`Entropy`])
//! and the [`Scheduler`], the asynchronous shell that loads what a command reads, asks
//! `russet-core` what to do, commits it, and tries again on conflict.

mod error;
mod events;
pub mod limits;
mod queue;
mod recording;
mod scheduler;
mod seams;
mod store;
mod workers;

pub use error::EngineError;
pub use events::{EventStream, Happened, Observer};
pub use queue::{Delivery, Depth, Message, Queue, QueueError, Receipt};
pub use recording::{Recorded, Recorder};
pub use russet_core as core;
pub use scheduler::{
    Backend, CancelledWorkflow, Configuration, Extended, LeaseRequest, ONLY_NODE, QueueView,
    RedrivenWorkflow, Scheduler, Submitted, TaskIds, TaskNow, Unreadable,
};
pub use seams::{Clock, Entropy, SystemClock, SystemEntropy};
pub use store::{
    Change, Due, Limits, Listing, Order, Outcome, Page, QueueStats, Stats, Store, StoreError,
    Transaction, Version, Versioned,
};
pub use workers::{WhoFits, Workers};
