mod faults;
mod found;
mod nodes;
mod permissions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::conformance::{Factory, Timing};
use russet_backends::memory::Memory;
use russet_backends::sqs::Sqs;
use russet_engine::{Backend, Clock, SystemClock};
use russet_servers::{Fauxqs, Ministack};

use crate::servers::queues;

/// Queues on a server of their own, beside a store in memory.
struct Queues<S> {
    _server: S,
    url: String,
    made: AtomicU64,
    /// How soon it tells who waits of an arrival.
    prompt: Duration,
}

fn on_fauxqs() -> Queues<Fauxqs> {
    let server = Fauxqs::start();
    Queues {
        url: server.url(),
        _server: server,
        made: AtomicU64::new(0),
        prompt: Timing::default().prompt,
    }
}

/// It looks for arrivals every tenth of a second.
fn on_ministack() -> Queues<Ministack> {
    let server = Ministack::start();
    Queues {
        url: server.url(),
        _server: server,
        made: AtomicU64::new(0),
        prompt: Duration::from_millis(200),
    }
}

#[async_trait]
impl<S: Send + Sync> Factory for Queues<S> {
    async fn create(&self, partitions: u16) -> Backend {
        let prefix = format!("test{}", self.made.fetch_add(1, Ordering::Relaxed));
        let queue = Sqs::open(queues(&self.url, &prefix), self.clock()).await;
        Backend {
            store: Memory::new(partitions, self.clock()),
            queue: queue.expect("the queue is opened"),
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// SQS counts whole seconds.
    fn timing(&self) -> Timing {
        Timing {
            short: Duration::from_secs(1),
            prompt: self.prompt,
            ..Timing::default()
        }
    }
}

russet_backends::conformance! { fauxqs: on_fauxqs() => queue }
russet_backends::conformance! { ministack: on_ministack() => queue }
