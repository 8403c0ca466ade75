//! The store's part, and that of the queue beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use russet_backends::embedded::{Embedded, EmbeddedOptions, Writer};
use russet_backends::memory::{Fate, MemoryQueue};
use russet_engine::{Clock, Queue, Store};

use super::Stage;
use crate::history::{Actor, Fault, FaultKind, Journal, What};
use crate::plan::{Plan, Random, WorldKind};
use crate::world::server::Server;
use crate::world::time::{NodeClock, now};

/// Memory for pages of the simulated disk.
const CACHE_BYTES: usize = 4 << 20;

impl Stage {
    pub(super) async fn act_store(&self) {
        let (store, own): (Arc<dyn Store>, Arc<dyn Queue>) = match self.plan.world {
            WorldKind::Memory => (self.memory.clone(), self.memory.clone()),
            WorldKind::Embedded => match self.open() {
                Some(embedded) => (embedded.clone(), embedded),
                None => return self.kill(Actor::Store),
            },
            WorldKind::Redis | WorldKind::SqsRedis => {
                let server = self.redis.clone();
                return server.run(self.net.clone(), Actor::Store).await;
            }
            WorldKind::Sqs => {
                if let Err(error) = self.services.prepare(self.plan.partitions).await {
                    panic!("the table cannot be made: {error}");
                }
                let services = self.services.clone();
                return services.run(self.net.clone(), Actor::Store).await;
            }
        };
        if self.ledger.settle(store.as_ref()).await.is_err() {
            return self.kill(Actor::Store);
        }
        let queue = match self.plan.split {
            true => self.apart.clone(),
            false => own,
        };
        let server = self.server(store, queue);
        let serving = Some(server.clone());
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = serving;
        self.look().await;
        server.run(self.net.clone(), Actor::Store).await;
    }

    /// Opens the embedded store; `None` when the power fails meanwhile.
    fn open(&self) -> Option<Arc<Embedded>> {
        let options = EmbeddedOptions {
            partitions: Some(self.plan.partitions),
            cache_bytes: CACHE_BYTES,
            writer: Writer::Caller,
        };
        let clock = Arc::new(NodeClock::right());
        let boot = self.disk.boot();
        match Embedded::with_backend(boot, options, clock) {
            Ok(embedded) => Some(embedded),
            Err(_) if self.disk.has_failed() => None,
            Err(error) => panic!("the store does not open after a crash: {error}"),
        }
    }

    pub(super) fn server(&self, store: Arc<dyn Store>, queue: Arc<dyn Queue>) -> Server {
        Server {
            store,
            queue,
            ledger: self.ledger.clone(),
            deliveries: self.deliveries.clone(),
            mood: self.mood.clone(),
        }
    }

    /// Looks at everything that the store says of itself, when it is up.
    pub async fn look(&self) {
        let _looking = self.looking.lock().await;
        let partitions = self.plan.partitions;
        let looked = match self.plan.world {
            WorldKind::Memory | WorldKind::Embedded => Ok(self.look_at_server().await),
            WorldKind::Redis | WorldKind::SqsRedis => {
                self.redis.look(partitions).await.map_err(|e| e.to_string())
            }
            WorldKind::Sqs => self
                .services
                .look(partitions)
                .await
                .map_err(|e| e.to_string()),
        };
        if let Err(error) = looked {
            panic!("a copy of the store does not open: {error}");
        }
    }

    async fn look_at_server(&self) {
        let serving = self
            .serving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(server) = serving {
            let queue = (!self.plan.split).then_some(server.queue.as_ref());
            // A store whose disk has failed is looked at when it is up again.
            let sights = self.ledger.sights();
            let _ = self.ledger.look(sights, server.store.as_ref(), queue).await;
        }
    }
}

/// The queue of a split pair, which loses and duplicates as planned.
pub(super) fn queue_apart(
    plan: &Plan,
    clock: Arc<dyn Clock>,
    journal: Journal,
    healed: Arc<AtomicBool>,
) -> Arc<MemoryQueue> {
    let random = Random::new(plan.seed, 7);
    let lost = plan.rate(FaultKind::MessageLost);
    let twice = plan.rate(FaultKind::MessageDuplicated);
    MemoryQueue::with_fate(clock, move |_| {
        if healed.load(Ordering::Relaxed) {
            return Fate::Delivered;
        }
        let (kind, fate) = match (random.in_a_million(lost), random.in_a_million(twice)) {
            (true, _) => (FaultKind::MessageLost, Fate::Lost),
            (_, true) => (FaultKind::MessageDuplicated, Fate::Duplicated),
            _ => return Fate::Delivered,
        };
        let whom = Actor::Queue;
        journal.write(now(), What::Fault(Fault { kind, whom }));
        fate
    })
}
