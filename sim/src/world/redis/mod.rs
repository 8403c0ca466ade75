//! The store of the `redis` world: the real adapter, with the real client library, over simulated
//! connections to models of a server, or of the primaries of a cluster.

mod account;
mod client;
mod moving;
mod redirects;
mod server;
mod session;

pub use client::open;
pub use server::RedisServer;

use crate::history::Actor;

/// The primaries of a store that is a cluster of so many, or else its only one.
pub fn primaries(cluster: Option<u8>) -> impl Iterator<Item = Actor> {
    (0..cluster.unwrap_or(1)).map(primary)
}

/// A primary by its number.
fn primary(number: u8) -> Actor {
    match number {
        0 => Actor::Store,
        n => Actor::Shard(n),
    }
}

/// The number of a primary.
fn number(primary: Actor) -> u8 {
    match primary {
        Actor::Shard(n) => n,
        _ => 0,
    }
}

/// With what all names begin.
const PREFIX: &str = "sim";
