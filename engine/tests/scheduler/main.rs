//! The scheduler on a store that conflicts, loses replies and delays, several nodes at once.

mod faulty;
mod world;

mod commands;
mod dependencies;
mod faults;
mod full_queues;
mod group_commit;
mod leases;
mod promises;
mod recording;
mod split;
mod timers;
