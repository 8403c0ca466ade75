use async_trait::async_trait;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp, TransactionLimit};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use super::Dynamo;
use crate::limits::{DYNAMO_DECIDED_BYTES, DYNAMO_RECORD_BYTES, DYNAMO_TRANSACTION_CHANGES};

#[async_trait]
impl Store for Dynamo {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn limits(&self) -> Limits {
        Limits {
            transaction: TransactionLimit {
                changes: DYNAMO_TRANSACTION_CHANGES,
                bytes: DYNAMO_DECIDED_BYTES,
            },
            record_bytes: DYNAMO_RECORD_BYTES,
            is_far: true,
        }
    }

    /// It forgets nothing that it acknowledged.
    fn epoch(&self, _: PartitionId) -> Epoch {
        Epoch::default()
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        if partition.0 >= self.partitions {
            return Ok(vec![None; keys.len()]);
        }
        self.load(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if partition.0 >= self.partitions {
            return Err(crate::no_partition(partition, self.partitions));
        }
        self.write(partition, batch).await
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        if partition.0 >= self.partitions || limit == 0 {
            return Ok(Vec::new());
        }
        self.due_timers(partition, before, limit).await
    }

    fn unreadable(&self) -> u64 {
        self.unreadable.count()
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        self.page(listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.counts().await
    }
}
