//! Models of the servers that Russet's backends talk to: what the simulator runs in their place.
//! They do what the real ones do as far as the backends can tell, without a clock, a thread or
//! a random number of their own; the tests send the same commands to both.

pub mod aws;
pub mod dynamodb;
pub mod redis;
pub mod sqs;
