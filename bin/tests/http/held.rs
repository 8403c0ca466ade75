//! A store in which leases, or all that changes, can be held up while it is committed.

use std::sync::Arc;

use async_trait::async_trait;
use russet_backends::memory::Memory;
use russet_core::{Epoch, PartitionId, Record, RecordKey, Status, TaskId, Timestamp};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};
use tokio::sync::watch;

/// What is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Nothing,
    Leases,
    Everything,
    /// Nothing: whoever commits meets a bug.
    Bug,
}

impl What {
    fn holds(self, batch: &[Transaction]) -> bool {
        match self {
            Self::Nothing | Self::Bug => false,
            Self::Leases => batch.iter().any(is_lease),
            Self::Everything => true,
        }
    }
}

/// The store; what is held up goes on when it is told to let go.
pub struct Held {
    inner: Arc<Memory>,
    holds: watch::Sender<What>,
    waiting: watch::Sender<usize>,
}

impl Held {
    pub fn new(inner: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            holds: watch::Sender::new(What::Nothing),
            waiting: watch::Sender::new(0),
        })
    }

    /// Holds up what is committed from now on.
    pub fn hold(&self, what: What) {
        self.holds.send_replace(what);
    }

    /// Lets all of them go on.
    pub fn let_go(&self) {
        self.hold(What::Nothing);
    }

    /// Waits until something is held up.
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
        let mut holds = self.holds.subscribe();
        assert!(
            *holds.borrow() != What::Bug,
            "broken invariant: a test of one"
        );
        if holds.borrow().holds(&batch) {
            self.waiting.send_modify(|waiting| *waiting += 1);
            let free = holds.wait_for(|what| !what.holds(&batch)).await.map(|_| ());
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
