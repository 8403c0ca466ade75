//! The store and the queue as a node sees them: on the other side of the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use russet_core::{Epoch, Lane, PartitionId, QueueName, RecordKey, TaskId, Timestamp};
use russet_engine::{
    Delivery, Depth, Due, Limits, Listing, Message, Outcome, Page, Queue, QueueError, Receipt,
    Stats, Store, StoreError, Transaction, Versioned,
};
use tokio::time::{sleep, timeout};

use super::net::{CallError, Net, Parcel, Reply};
use super::protocol::{StoreReply, StoreRequest};
use crate::history::Actor;

/// How long a node waits for a reply of the store, beside what it asks the store to wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a failed look for new lanes.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection of a node to the store.
pub struct Remote {
    net: Net,
    node: Actor,
    /// The store's partitions and limits are part of a node's configuration.
    partitions: u16,
    limits: Limits,
    split: bool,
    epoch: AtomicU64,
}

/// Why no reply came.
struct Failed {
    sent: bool,
    why: String,
}

impl Remote {
    /// The connection of `node`.
    pub fn new(net: Net, node: Actor, partitions: u16, limits: Limits, split: bool) -> Arc<Self> {
        Arc::new(Self {
            net,
            node,
            partitions,
            limits,
            split,
            epoch: AtomicU64::new(0),
        })
    }

    async fn ask(&self, request: StoreRequest, wait: Duration) -> Result<StoreReply, Failed> {
        let to = match self.split && !request.is_of_store() {
            true => Actor::Queue,
            false => Actor::Store,
        };
        let call = self.net.call(self.node, to, Parcel::Store(request));
        match timeout(PATIENCE + wait, call).await {
            Ok(Ok(Reply::Store(reply))) => Ok(reply),
            Ok(Ok(Reply::Http(_) | Reply::Aws(_))) => {
                Err(failed(true, "answered in another language"))
            }
            Ok(Err(CallError::Refused)) => Err(failed(false, "connection refused")),
            Ok(Err(CallError::Reset)) => Err(failed(true, "connection reset")),
            Err(_) => Err(failed(true, "no reply in time")),
        }
    }

    async fn tell(&self, request: StoreRequest) -> Result<(), QueueError> {
        match self.ask(request, Duration::ZERO).await.map_err(queue)? {
            StoreReply::Done(done) => done,
            _ => Err(queue(mixed_up())),
        }
    }
}

fn failed(sent: bool, why: &str) -> Failed {
    let why = why.to_owned();
    Failed { sent, why }
}

fn mixed_up() -> Failed {
    failed(true, "answered something else")
}

fn unavailable(Failed { why, .. }: Failed) -> StoreError {
    StoreError::Unavailable { why }
}

fn unknown(Failed { sent, why }: Failed) -> StoreError {
    match sent {
        true => StoreError::Indeterminate { why },
        false => StoreError::Unavailable { why },
    }
}

fn queue(Failed { why, .. }: Failed) -> QueueError {
    QueueError::Unavailable { why }
}

#[async_trait]
impl Store for Remote {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    /// The worlds that there are forget nothing that they acknowledged.
    fn epoch(&self, _: PartitionId) -> Epoch {
        Epoch::default()
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        let request = StoreRequest::Get(partition, keys.to_vec());
        match self
            .ask(request, Duration::ZERO)
            .await
            .map_err(unavailable)?
        {
            StoreReply::Got(got) => got,
            _ => Err(unavailable(mixed_up())),
        }
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let request = StoreRequest::Commit(partition, batch);
        match self.ask(request, Duration::ZERO).await.map_err(unknown)? {
            StoreReply::Committed(outcomes) => outcomes,
            _ => Err(unknown(mixed_up())),
        }
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let request = StoreRequest::Due(partition, before, limit);
        match self
            .ask(request, Duration::ZERO)
            .await
            .map_err(unavailable)?
        {
            StoreReply::Due(due) => due,
            _ => Err(unavailable(mixed_up())),
        }
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        let request = StoreRequest::List(listing.clone());
        match self
            .ask(request, Duration::ZERO)
            .await
            .map_err(unavailable)?
        {
            StoreReply::Listed(page) => page,
            _ => Err(unavailable(mixed_up())),
        }
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let request = StoreRequest::Stats;
        match self
            .ask(request, Duration::ZERO)
            .await
            .map_err(unavailable)?
        {
            StoreReply::Stats(stats) => stats,
            _ => Err(unavailable(mixed_up())),
        }
    }
}

#[async_trait]
impl Queue for Remote {
    fn is_fused(&self) -> bool {
        !self.split
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        self.tell(StoreRequest::Send(messages)).await
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let from = from.to_vec();
        let request = StoreRequest::Receive {
            from,
            max,
            visibility,
            wait,
        };
        match self.ask(request, wait).await.map_err(queue)? {
            StoreReply::Received(received) => received,
            _ => Err(queue(mixed_up())),
        }
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.tell(StoreRequest::Delete(receipts)).await
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        self.tell(StoreRequest::Release(receipts, delay)).await
    }

    async fn lanes(&self, name: &QueueName) -> Result<Vec<Lane>, QueueError> {
        let request = StoreRequest::Lanes(name.clone());
        match self.ask(request, Duration::ZERO).await.map_err(queue)? {
            StoreReply::Lanes(lanes) => {
                let (epoch, lanes) = lanes?;
                self.epoch.fetch_max(epoch, Ordering::Relaxed);
                Ok(lanes)
            }
            _ => Err(queue(mixed_up())),
        }
    }

    fn lanes_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    async fn lanes_changed(&self, known: u64) {
        while self.lanes_epoch() <= known {
            let wait = super::server::LANES_WAIT;
            match self.ask(StoreRequest::LanesChanged(known), wait).await {
                Ok(StoreReply::Epoch(epoch)) => {
                    self.epoch.fetch_max(epoch, Ordering::Relaxed);
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        let request = StoreRequest::Depth(lane.clone());
        match self.ask(request, Duration::ZERO).await.map_err(queue)? {
            StoreReply::Depth(depth) => depth,
            _ => Err(queue(mixed_up())),
        }
    }
}
