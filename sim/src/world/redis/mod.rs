//! The store of the `redis` world: the real adapter, with the real client library, over simulated
//! connections to a model of a server.

mod account;
mod client;
mod server;
mod session;

pub use client::open;
pub use server::RedisServer;

/// With what all names begin.
const PREFIX: &str = "sim";
