//! Russet's simulator: scheduler nodes, workers, clients and a backend in one deterministic
//! world, with the faults that a seed draws, and a checker for each promise.
//!
//! [`plan`] says what is to happen, `world` makes it happen under madsim, [`history`] is the
//! account of it, [`check`] and [`marks`] read that account, and [`verdict`] is what the run comes
//! to. Only the world needs the simulated build (`cargo sim`); everything else compiles and is
//! tested like any other crate.

pub mod check;
pub mod cli;
pub mod history;
pub mod marks;
pub mod plan;
pub mod verdict;
#[cfg(madsim)]
pub mod world;
pub mod world_time;
