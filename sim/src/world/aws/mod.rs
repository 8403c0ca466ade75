//! The store and the queue of the `sqs` world: the real adapters, with the real SDK, over the
//! simulated network to models of DynamoDB and SQS.

mod account;
mod carrier;
mod client;
mod services;

pub use client::open;
pub use services::Services;

/// What a service is asked: the operation, and its parameters in JSON.
#[derive(Clone)]
pub struct AwsRequest {
    /// What `X-Amz-Target` says.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}
