//! The scheduler on a store that conflicts, loses replies and delays, several nodes at once.

mod cancelling;
mod commands;
mod damage;
mod damaged_queues;
mod dependencies;
mod far;
mod faults;
mod faulty;
mod full_queues;
mod gates;
mod group_commit;
mod jitter;
mod leases;
mod pages;
mod promises;
mod recording;
mod redriving;
mod small_transactions;
mod spans;
mod split;
mod stopping;
mod timers;
mod troubled;
mod whole;
mod world;

/// The store of these tests.
const STORE: world::StoreKind = world::StoreKind::Memory;
/// How many worlds are drawn where chance decides.
const SEEDS: u64 = 8;
