use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::dynamodb::Dynamo;
use russet_core::{PartitionId, RecordKey, TaskId, Timestamp};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

/// More commits than any test makes that knows how many it makes.
const COMMITS: usize = 300;
const PAUSE: Duration = Duration::from_millis(200);

/// A store on a server that reads through all entries of an index for each page. Whoever commits
/// without end, to disturb others, waits a while each time, lest that never ends.
pub struct Steady {
    store: Arc<Dynamo>,
    commits: AtomicUsize,
}

impl Steady {
    pub fn new(store: Arc<Dynamo>) -> Arc<Self> {
        let commits = AtomicUsize::new(0);
        Arc::new(Self { store, commits })
    }
}

#[async_trait]
impl Store for Steady {
    fn partitions(&self) -> u16 {
        self.store.partitions()
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn epoch(&self, partition: PartitionId) -> russet_core::Epoch {
        self.store.epoch(partition)
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.store.get(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if self.commits.fetch_add(1, Ordering::Relaxed) > COMMITS {
            tokio::time::sleep(PAUSE).await;
        }
        self.store.commit(partition, batch).await
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.store.due(partition, before, limit).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        self.store.list(listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.store.stats().await
    }
}
