//! Real servers, real nodes and real workers that are killed, frozen and failed over under load,
//! and the promises, checked on what clients and workers saw of it.
//!
//! `cargo nextest run -p russet-cli --test chaos --no-capture` shows what was counted. `RUSSET_CHAOS_SEED`
//! chooses other moments.

mod any_node;
mod cluster;
mod durable;
mod failover;
mod frozen;
mod history;
mod journal;
mod killed;
mod leader;
mod load;
mod random;
mod sentinel;
mod slots;
mod stage;
mod wait;
mod worker;
