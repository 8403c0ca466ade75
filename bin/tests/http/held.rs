//! A store in which leases can be held up while they are committed.

use std::sync::Arc;

use async_trait::async_trait;
use russet_backends::memory::Memory;
use russet_core::{Epoch, PartitionId, Record, RecordKey, Status, TaskId, Timestamp};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};
use tokio::sync::watch;

/// The store; what is held up goes on when it is told to let go.
pub struct Held {
    inner: Arc<Memory>,
    holds: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Held {
    pub fn new(inner: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            holds: watch::Sender::new(false),
            waiting: watch::Sender::new(0),
        })
    }

    /// Holds up the leases that are committed from now on.
    pub fn hold(&self) {
        self.holds.send_replace(true);
    }

    /// Lets all of them go on.
    pub fn let_go(&self) {
        self.holds.send_replace(false);
    }

    /// Waits until a lease is held up.
    pub async fn holds_one(&self) {
        let mut waiting = self.waiting.subscribe();
        let held = waiting.wait_for(|waiting| *waiting > 0).await;
        held.expect("the store is there");
    }
}

fn is_lease(transaction: &Transaction) -> bool {
    let mut after = transaction.changes.iter().map(|change| &change.after);
    after.any(|after| matches!(after, Some(Record::Task(task)) if task.status == Status::Running))
}

#[async_trait]
impl Store for Held {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn epoch(&self, partition: PartitionId) -> Epoch {
        self.inner.epoch(partition)
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.inner.get(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if batch.iter().any(is_lease) {
            self.waiting.send_modify(|waiting| *waiting += 1);
            let mut holds = self.holds.subscribe();
            let free = holds.wait_for(|holds| !holds).await.map(|_| ());
            free.expect("the store is there");
            self.waiting.send_modify(|waiting| *waiting -= 1);
        }
        self.inner.commit(partition, batch).await
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.inner.due(partition, before, limit).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        self.inner.list(listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }
}
