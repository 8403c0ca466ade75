//! `russet serve`: the scheduler behind HTTP. A file for each noun of `/v1`.

mod auth;
mod error;
mod events;
mod explain;
mod failures;
mod gate;
mod health;
mod info;
mod input;
mod leases;
pub mod limits;
mod metrics;
mod net;
mod openapi;
mod ping;
mod queues;
mod refusal;
mod reply;
mod routes;
mod server;
mod stopping;
mod tasks;
mod workflows;

use std::sync::Arc;

use russet::Api;
use russet_core::Timestamp;
use russet_engine::{Clock, Entropy, Scheduler, SystemEntropy};
use tokio::sync::{Semaphore, watch};

pub use auth::Tokens;
pub use error::ServeError;
pub use explain::{Explanation, Reason};
pub use failures::Failures;
pub use metrics::Metrics;
pub use openapi::document;
pub use routes::router;
pub use server::{Place, Server, check};
pub use stopping::{Stop, Stopping};

/// What all requests share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// See [`App`].
pub struct Shared {
    /// What can be asked for.
    pub api: Api,
    /// How many partitions the store has.
    pub partitions: u16,
    /// The clock that the scheduler decides by.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells of what fails.
    pub failures: Failures,
    /// Who may come in.
    pub tokens: Tokens,
    /// When to stop.
    pub stopping: Stopping,
    /// Room for event streams.
    pub streams: Arc<Semaphore>,
    /// What tells the events of this start of the node from those of others.
    pub start: u64,
    /// Room for bodies, in KiB.
    pub bodies: Semaphore,
    /// Every look for tasks holds a receiver: it may outlast the request that it is for.
    pub seeks: watch::Sender<()>,
}

impl App {
    /// What all requests to `scheduler` share.
    pub fn new(
        scheduler: Scheduler,
        partitions: u16,
        metrics: Arc<Metrics>,
        tokens: Tokens,
        stopping: Stopping,
    ) -> Self {
        Self(Arc::new(Shared {
            clock: scheduler.clock(),
            api: Api::new(scheduler),
            partitions,
            metrics,
            failures: Failures::default(),
            tokens,
            stopping,
            streams: Arc::new(Semaphore::new(limits::EVENT_STREAMS)),
            start: SystemEntropy::new().next_u64(),
            bodies: Semaphore::new(limits::BODIES_BYTES / 1024),
            seeks: watch::Sender::new(()),
        }))
    }

    /// Decides.
    pub(crate) fn scheduler(&self) -> &Scheduler {
        self.api.scheduler()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
