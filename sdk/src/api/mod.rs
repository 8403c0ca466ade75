//! The operations of `/v1` on a scheduler in this process. The HTTP server is these behind
//! routes, and [`Client::in_process`](crate::Client::in_process) calls them directly, so
//! that both mean the same by every request.

mod batch;
mod bulk;
mod cancel;
mod leases;
mod queues;
mod redrive;
mod tasks;
mod warnings;

use russet_engine::Scheduler;

use crate::wire::Info;

/// The operations of `/v1`. Clones share the scheduler.
#[derive(Clone)]
pub struct Api {
    scheduler: Scheduler,
}

impl Api {
    /// The operations on `scheduler`.
    pub fn new(scheduler: Scheduler) -> Self {
        Self { scheduler }
    }

    /// The scheduler.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// `GET /v1/info`, of a store with this many partitions.
    pub fn info(&self, partitions: u16) -> Info {
        Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            partitions,
            now: self.scheduler.clock().now().into(),
        }
    }
}
