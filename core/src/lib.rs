//! Russet's rules. Every scheduling decision is made here, by pure functions of
//! what is stored, a command and a time: [`decide`].
//!
//! The crate is `no_std` with `alloc`: it has no clock, no randomness, no I/O and no
//! hash maps, so whatever it decides can be decided again from a recording.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod calendar;
pub mod codec;
pub mod command;
mod decision;
mod draft;
mod event;
mod ids;
mod index;
pub mod limits;
mod model;
mod names;
pub mod planted;
pub mod policy;
mod records;
mod rejection;
mod rules;
mod time;

pub use command::{
    Acknowledge, Campaign, Cancel, Command, Complete, Configure, Deliver, Extend, Fail, Fire,
    LeaseTask, NewTask, NewWorkflow, Purge, Redrive, RedriveWorkflow, Release, Sent, Stage, Submit,
    When, cycles_among, decide, waves_among,
};
pub use decision::{Decision, Reply, Undecided, View, Write};
pub use event::{Event, EventKind};
pub use ids::{LeaseId, MessageId, NodeId, PartitionId, TaskId, WorkerId, WorkflowId};
pub use index::{Entries, Lane, Listed, Ready, entries, timer};
pub use model::*;
pub use names::{
    IdempotencyKey, Label, NameError, PartitionKey, QueueName, ResourceName, TaskType,
};
pub use records::Records;
pub use rejection::{Invalid, Rejection};
pub use time::{Millis, Timestamp};
