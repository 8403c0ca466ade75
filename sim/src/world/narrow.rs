//! A store that commits less at once than it could.

use std::sync::Arc;

use async_trait::async_trait;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp, TransactionLimit};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use crate::plan::Plan;

/// The store, and how much it changes at once.
pub struct Narrow {
    store: Arc<dyn Store>,
    transaction: TransactionLimit,
}

impl Narrow {
    /// `store`, of which a transaction changes no more than `plan` says.
    pub fn of(store: Arc<dyn Store>, plan: &Plan) -> Arc<dyn Store> {
        let own = store.limits().transaction;
        let transaction = plan.transaction_of(own);
        match transaction == own {
            true => store,
            false => Arc::new(Self { store, transaction }),
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
            transaction: self.transaction,
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
