//! The tests of `../scheduler` on the embedded store.

#[path = "../scheduler/commands.rs"]
mod commands;
#[path = "../scheduler/damage.rs"]
mod damage;
#[path = "../scheduler/damaged_queues.rs"]
mod damaged_queues;
#[path = "../scheduler/dependencies.rs"]
mod dependencies;
#[path = "../scheduler/faults.rs"]
mod faults;
#[path = "../scheduler/faulty.rs"]
mod faulty;
#[path = "../scheduler/full_queues.rs"]
mod full_queues;
#[path = "../scheduler/gates.rs"]
mod gates;
#[path = "../scheduler/group_commit.rs"]
mod group_commit;
#[path = "../scheduler/leases.rs"]
mod leases;
#[path = "../scheduler/pages.rs"]
mod pages;
#[path = "../scheduler/promises.rs"]
mod promises;
#[path = "../scheduler/recording.rs"]
mod recording;
#[path = "../scheduler/redriving.rs"]
mod redriving;
#[path = "../scheduler/small_transactions.rs"]
mod small_transactions;
#[path = "../scheduler/split.rs"]
mod split;
#[path = "../scheduler/timers.rs"]
mod timers;
#[path = "../scheduler/world.rs"]
mod world;

/// The store of these tests.
const STORE: world::StoreKind = world::StoreKind::Embedded;
/// How many worlds are drawn where chance decides.
const SEEDS: u64 = 2;
