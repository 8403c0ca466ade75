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
    /// The dependencies of tasks that have many, while they are loaded.
    Dependencies,
}

impl What {
    fn holds(self, batch: &[Transaction]) -> bool {
        match self {
            Self::Nothing | Self::Bug | Self::Dependencies => false,
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

    /// Waits while something is held up.
    async fn pass(&self, is_held: impl Fn(What) -> bool) {
        let mut holds = self.holds.subscribe();
        if is_held(*holds.borrow()) {
            self.waiting.send_modify(|waiting| *waiting += 1);
            let free = holds.wait_for(|what| !is_held(*what)).await.map(|_| ());
            free.expect("the store is there");
            self.waiting.send_modify(|waiting| *waiting -= 1);
        }
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
        let is_list = |key: &RecordKey| matches!(key, RecordKey::Dependencies(..));
        let any_list = keys.iter().any(is_list);
        self.pass(|what| what == What::Dependencies && any_list)
            .await;
        self.inner.get(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let is_bug = *self.holds.borrow() == What::Bug;
        assert!(!is_bug, "broken invariant: a test of one");
        self.pass(|what| what.holds(&batch)).await;
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
