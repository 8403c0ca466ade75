//! A store that commits fewer changes at once than it could.

use std::sync::Arc;

use async_trait::async_trait;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

/// The store, and how many records it changes at once.
pub struct Narrow {
    store: Arc<dyn Store>,
    changes: usize,
}

impl Narrow {
    /// `store`, of which a transaction changes at most `changes` records, if that is given.
    pub fn of(store: Arc<dyn Store>, changes: Option<usize>) -> Arc<dyn Store> {
        match changes {
            Some(changes) => Arc::new(Self { store, changes }),
            None => store,
        }
    }
}

#[async_trait]
impl Store for Narrow {
    fn partitions(&self) -> u16 {
        self.store.partitions()
    }

    fn limits(&self) -> Limits {
        Limits {
            transaction_changes: self.changes,
            ..self.store.limits()
        }
    }

    fn epoch(&self, partition: PartitionId) -> Epoch {
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
        self.store.commit(partition, batch).await
    }

    async fn confirm(&self, partition: PartitionId, epoch: Epoch) -> Result<Outcome, StoreError> {
        self.store.confirm(partition, epoch).await
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
