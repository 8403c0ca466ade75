//! The store's side: does what nodes ask for, misbehaves as the plan says, and writes down each
//! commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russet_core::PartitionId;
use russet_engine::{Outcome, Queue, Store, StoreError, Transaction};
use tokio::time::{sleep, timeout};

use super::deliveries::Deliveries;
use super::ledger::Ledger;
use super::net::{Arrived, Net, Parcel, Reply};
use super::protocol::{StoreReply, StoreRequest};
use super::time::now;
use crate::history::{Actor, Fault, FaultKind, Journal, What};
use crate::plan::{Plan, Random};

/// How long one look for new lanes waits.
pub const LANES_WAIT: Duration = Duration::from_secs(1);

/// How the store misbehaves; it outlives the store's crashes.
pub struct Mood {
    /// It refuses everything.
    pub unavailable: AtomicBool,
    /// It answers late.
    pub slow: AtomicBool,
    healed: AtomicBool,
    throttled: u64,
    partial: u64,
    crash_after: u64,
    random: Random,
    journal: Journal,
    /// Kills a node.
    pub kill: Box<dyn Fn(Actor) + Send + Sync>,
}

impl Mood {
    /// The mood of a plan.
    pub fn new(plan: &Plan, journal: Journal, kill: Box<dyn Fn(Actor) + Send + Sync>) -> Self {
        Self {
            unavailable: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            healed: AtomicBool::new(false),
            throttled: plan.rate(FaultKind::Throttled),
            partial: plan.rate(FaultKind::PartialBatch),
            crash_after: plan.rate(FaultKind::CrashAfterCommit),
            random: Random::new(plan.seed, 4),
            journal,
            kill,
        }
    }

    /// Behaves from now on.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
        self.unavailable.store(false, Ordering::Relaxed);
        self.slow.store(false, Ordering::Relaxed);
    }

    /// Whether a fault is to happen now that happens so many times in a million.
    pub fn happens(&self, kind: FaultKind, rate: u64, whom: Actor) -> bool {
        let happens = self.random.in_a_million(rate) && !self.healed.load(Ordering::Relaxed);
        if happens {
            self.journal.write(now(), What::Fault(Fault { kind, whom }));
        }
        happens
    }

    /// Whether it refuses everything now.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable.load(Ordering::Relaxed)
    }

    /// Whether it behaves for good.
    pub fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// Whether a node is to crash now that its commit is done.
    pub fn crashes_after_commit(&self, node: Actor) -> bool {
        matches!(node, Actor::Node(_))
            && self.happens(FaultKind::CrashAfterCommit, self.crash_after, node)
    }

    /// Whether it refuses a call now.
    pub fn refuses(&self) -> bool {
        self.unavailable.load(Ordering::Relaxed)
            || self.happens(FaultKind::Throttled, self.throttled, Actor::Store)
    }

    /// Takes its time, when it is slow.
    pub async fn delay(&self) {
        if self.slow.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(self.random.within(10..1_500))).await;
        }
    }
}

/// A store, and the queue in it or beside it, as one process.
#[derive(Clone)]
pub struct Server {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// What was committed.
    pub ledger: Ledger,
    /// What was delivered.
    pub deliveries: Deliveries,
    /// How it misbehaves.
    pub mood: Arc<Mood>,
}

impl Server {
    /// Serves as `actor` for as long as it is polled.
    pub async fn run(self, net: Net, actor: Actor) {
        let mut arrivals = net.listen(actor);
        while let Some(Arrived {
            from,
            parcel,
            reply,
        }) = arrivals.recv().await
        {
            let Parcel::Store(request) = parcel else {
                continue;
            };
            let server = self.clone();
            tokio::spawn(async move {
                server.mood.delay().await;
                let done = server.answer(from, request).await;
                // Whoever asked may have gone.
                let _ = reply.send(Reply::Store(done));
            });
        }
    }

    async fn answer(&self, from: Actor, request: StoreRequest) -> StoreReply {
        let refused = self.mood.refuses();
        if refused && request.is_of_store() {
            self.ledger.turned_away(from);
        }
        let busy = || StoreError::Unavailable {
            why: "too many requests".to_owned(),
        };
        let full = || russet_engine::QueueError::Unavailable {
            why: "too many requests".to_owned(),
        };
        match request {
            StoreRequest::Get(..) if refused => StoreReply::Got(Err(busy())),
            StoreRequest::Commit(..) if refused => StoreReply::Committed(Err(busy())),
            StoreRequest::Due(..) if refused => StoreReply::Due(Err(busy())),
            StoreRequest::List(..) if refused => StoreReply::Listed(Err(busy())),
            StoreRequest::Stats if refused => StoreReply::Stats(Err(busy())),
            StoreRequest::Receive { .. } if refused => StoreReply::Received(Err(full())),
            StoreRequest::Lanes(_) if refused => StoreReply::Lanes(Err(full())),
            StoreRequest::Depth(_) if refused => StoreReply::Depth(Err(full())),
            StoreRequest::Send(_) | StoreRequest::Delete(_) | StoreRequest::Release(..)
                if refused =>
            {
                StoreReply::Done(Err(full()))
            }
            StoreRequest::Get(p, keys) => StoreReply::Got(self.store.get(p, &keys).await),
            StoreRequest::Commit(p, batch) => {
                StoreReply::Committed(self.commit(from, p, batch).await)
            }
            StoreRequest::Due(p, before, limit) => {
                StoreReply::Due(self.store.due(p, before, limit).await)
            }
            StoreRequest::List(listing) => StoreReply::Listed(self.store.list(&listing).await),
            StoreRequest::Stats => StoreReply::Stats(self.store.stats().await),
            request => self.answer_of_queue(request).await,
        }
    }

    async fn answer_of_queue(&self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Send(messages) => StoreReply::Done(self.queue.send(messages).await),
            StoreRequest::Receive {
                from,
                max,
                visibility,
                wait,
            } => {
                let received = self.queue.receive(&from, max, visibility, wait).await;
                if let Ok(deliveries) = &received {
                    self.deliveries.made(deliveries, visibility);
                }
                StoreReply::Received(received)
            }
            StoreRequest::Delete(receipts) => StoreReply::Done(self.queue.delete(receipts).await),
            StoreRequest::Release(receipts, delay) => {
                self.deliveries.given_back(&receipts, delay);
                StoreReply::Done(self.queue.release(receipts, delay).await)
            }
            StoreRequest::Lanes(name) => {
                let epoch = self.queue.lanes_epoch();
                let lanes = self.queue.lanes(&name).await;
                StoreReply::Lanes(lanes.map(|lanes| (epoch, lanes)))
            }
            StoreRequest::Depth(lane) => StoreReply::Depth(self.queue.depth(&lane).await),
            StoreRequest::LanesChanged(known) => {
                // When time is up the epoch is what it was.
                let _ = timeout(LANES_WAIT, self.queue.lanes_changed(known)).await;
                StoreReply::Epoch(self.queue.lanes_epoch())
            }
            _ => StoreReply::Epoch(0),
        }
    }

    async fn commit(
        &self,
        from: Actor,
        partition: PartitionId,
        mut batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let partial = batch.len() > 1
            && self
                .mood
                .happens(FaultKind::PartialBatch, self.mood.partial, Actor::Store);
        if partial {
            batch.truncate(self.mood.random.within(0..batch.len() as u64) as usize);
        }
        let committed = self.store.commit(partition, batch.clone()).await;
        match &committed {
            Ok(outcomes) => {
                let done = batch.into_iter().zip(outcomes);
                for (transaction, _) in done.filter(|(_, o)| **o == Outcome::Committed) {
                    self.ledger.committed(from, partition, transaction);
                }
            }
            Err(StoreError::Indeterminate { .. }) => self.ledger.doubt(from, partition, batch),
            Err(_) => {}
        }
        if committed.is_ok() && self.mood.crashes_after_commit(from) {
            (self.mood.kill)(from);
        }
        match partial {
            true => Err(StoreError::Indeterminate {
                why: "only a part was done".to_owned(),
            }),
            false => committed,
        }
    }
}
