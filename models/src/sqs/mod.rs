//! A model of SQS with standard queues, as far as Russet's adapter uses it. What a real SQS does
//! only now and then, such as to deliver a message twice, it does when its [`Condition`] says so.

mod batch;
mod condition;
mod error;
mod event;
mod messages;
mod queue;
mod queues;
mod server;

pub use self::condition::Condition;
pub use self::event::{Event, Received, What};
pub use self::server::{Answer, Request, Sqs};
pub use crate::aws::{Fault, Reply};
