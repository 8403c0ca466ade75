//! The store and the queue of the `sqs` world, and the queue of `sqs-redis`: the real adapters, with
//! the real SDK, over the simulated network to models of DynamoDB and SQS.

mod account;
mod carrier;
mod client;
mod heard;
mod post;
mod services;

pub use client::{open_queue, open_store};
pub use services::Services;

/// What a service is asked: the operation, and its parameters in JSON.
#[derive(Clone)]
pub struct AwsRequest {
    /// What `X-Amz-Target` says.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}
