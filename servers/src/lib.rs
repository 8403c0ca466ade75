//! Real servers for tests and benchmarks. `./servers/install` puts them into
//! `target/servers`; each is started on a free port of the loopback interface with a temporary
//! folder, and stopped by its own process id when its owner goes.
//!
//! A server that is missing is a panic that names the remedy, never a test that is skipped.

mod aws;
mod certificate;
mod cluster;
mod moving;
mod process;
mod redis;

pub use aws::{ACCESS_KEY, Fauxqs, Ministack};
pub use certificate::Certificate;
pub use cluster::RedisCluster;
pub use moving::MovingSlot;
pub use process::{Process, free_port, installed};
pub use redis::{RedisServer, RedisVersion};
