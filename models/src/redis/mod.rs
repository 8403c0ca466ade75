//! A model of a Redis server, as far as Russet's adapter uses one: its commands answer as the
//! real server's do, and its scripts are run by the same Lua 5.1.

mod args;
mod cluster;
mod core;
mod hashes;
mod keys;
pub mod resp;
mod script;
mod server;
mod sets;
mod sorted;
mod sorted_sets;
mod value;

pub use self::cluster::{Membership, NodeNumber, SLOTS, slot};
pub use self::core::{Write, Written};
pub use self::resp::{Protocol, Reply};
pub use self::server::{Condition, Redis, Session, SessionId};
