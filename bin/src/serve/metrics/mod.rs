//! `/metrics`: counters from the decisions' events, gauges from the store's counters, and what
//! the HTTP server itself did.

mod attempts;
mod http;
mod queues;
mod tasks;
mod unread;

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use russet_core::{Event, Task, Timestamp};
use russet_engine::{Observer, QueueView, Unreadable};

pub use http::Requests;

use attempts::Attempts;
use queues::Queues;
use tasks::Events;
use unread::Unread;

/// Seconds from half a millisecond on, doubled: waits and requests.
fn short_buckets() -> impl Iterator<Item = f64> {
    [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        60.0,
    ]
    .into_iter()
}

/// Seconds up to hours: what tasks wait and run.
fn long_buckets() -> impl Iterator<Item = f64> {
    [
        0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0,
        86_400.0,
    ]
    .into_iter()
}

/// What a node says of itself at a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    /// How many workers asked it for tasks lately.
    pub workers: usize,
    /// Whether its store takes nothing new.
    pub is_full: bool,
    /// What it could not read.
    pub unreadable: Unreadable,
}

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: Arc<Events>,
    attempts: Arc<Attempts>,
    queues: Arc<Queues>,
    workers: Gauge,
    store: Gauge,
    full: Gauge,
    unreadable: Arc<Unread>,
    /// The HTTP server's own figures.
    pub requests: Requests,
}

impl Metrics {
    /// Nothing measured yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("russet");
        let (events, queues) = (Arc::<Events>::default(), Arc::<Queues>::default());
        let attempts = Arc::new(Attempts::new());
        let workers = Gauge::default();
        registry.register_collector(Box::new(events.clone()));
        registry.register_collector(Box::new(queues.clone()));
        registry.register_with_unit(
            "task_schedule_to_start",
            "How long tasks were ready before a worker got them",
            Unit::Seconds,
            attempts.waits.clone(),
        );
        registry.register_with_unit(
            "task_run",
            "How long attempts ran, whatever their end",
            Unit::Seconds,
            attempts.runs.clone(),
        );
        registry.register(
            "workers",
            "Workers that asked this node for tasks lately and have not signed off",
            workers.clone(),
        );
        let store = Gauge::default();
        registry.register(
            "store_up",
            "1 when the store answered for this scrape",
            store.clone(),
        );
        let full = Gauge::default();
        registry.register(
            "store_full",
            "1 while the store takes no new tasks for want of room",
            full.clone(),
        );
        let unreadable = Arc::<Unread>::default();
        registry.register_collector(Box::new(unreadable.clone()));
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This server", version);
        let requests = Requests::register(&mut registry);
        Self {
            registry,
            events,
            attempts,
            queues,
            workers,
            store,
            full,
            unreadable,
            requests,
        }
    }

    /// Measures how long a task that was leased just now had been ready.
    pub fn leased(&self, task: &Task) {
        self.attempts.started(task);
    }

    /// The text that Prometheus reads, with these queues, if the store tells, and what the node
    /// is at `now`.
    pub fn text(&self, queues: Option<Vec<QueueView>>, node: Node, now: Timestamp) -> String {
        self.store.set(i64::from(queues.is_some()));
        self.queues.set(queues.unwrap_or_default(), now);
        let workers = i64::try_from(node.workers);
        self.workers.set(workers.unwrap_or(i64::MAX));
        self.full.set(i64::from(node.is_full));
        self.unreadable.set(node.unreadable);
        let mut out = String::new();
        // Writing into a String fails only if a collector does, and none of ours does.
        if let Err(error) = text::encode(&mut out, &self.registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        out
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Metrics {
    fn observe(&self, events: &[Event]) {
        self.events.count(events);
        self.attempts.follow(events);
    }
}
