//! The SDK in one process with a scheduler on the memory backend. Time is tokio's and paused:
//! it jumps to the next moment at which something happens.

mod capacity;
mod client;
mod drain;
mod examples;
mod failures;
mod heartbeats;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod pages;
mod redrives;
#[cfg(feature = "http")]
mod reports;
#[cfg(feature = "http")]
mod server;
mod steps;
mod submissions;
mod wide;
mod worker;
mod workflows;
mod world;
