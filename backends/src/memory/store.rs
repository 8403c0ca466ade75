use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use russet_core::{
    Epoch, PartitionId, QueueName, Record, RecordKey, TaskId, Timestamp, TransactionLimit, planted,
};
use russet_engine::{
    Clock, Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use super::records::Records;
use crate::index::{Index, Moved, Pages, StatsSum};
use crate::lanes::Lanes;
use crate::limits::{MEMORY_RECORD_BYTES, MEMORY_TRANSACTION_CHANGES};

/// A store in memory that is its own queue.
pub struct Memory {
    partitions: Vec<Mutex<Partition>>,
    transaction_changes: usize,
    pub(super) lanes: Lanes,
}

#[derive(Default)]
struct Partition {
    records: Records,
    index: Index,
}

impl Memory {
    /// An empty store. Visibility and waiting go by `clock`.
    pub fn new(partitions: u16, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_limit(partitions, clock, MEMORY_TRANSACTION_CHANGES)
    }

    /// An empty store that refuses transactions of more changes than this, as servers do.
    pub fn with_limit(
        partitions: u16,
        clock: Arc<dyn Clock>,
        transaction_changes: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            partitions: (0..partitions).map(|_| Mutex::default()).collect(),
            transaction_changes,
            lanes: Lanes::new(clock),
        })
    }

    /// A partition that does not exist holds nothing.
    fn partition(&self, id: PartitionId) -> Option<MutexGuard<'_, Partition>> {
        let partition = self.partitions.get(usize::from(id.0))?;
        Some(partition.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Partition>> {
        let lock = |partition| Mutex::lock(partition).unwrap_or_else(PoisonError::into_inner);
        self.partitions.iter().map(lock)
    }

    fn oldest(&self) -> BTreeMap<QueueName, Timestamp> {
        let mut oldest = BTreeMap::new();
        for (queue, task) in self.lanes.oldest() {
            let partition = self.partition(task.partition());
            let known = partition.and_then(|p| p.records.get(&RecordKey::Task(task)));
            if let Some(Record::Task(task)) = known.map(|known| known.record)
                && let Some(at) = task.ready_at
            {
                let first = oldest.entry(queue).or_insert(at);
                *first = at.min(*first);
            }
        }
        oldest
    }
}

impl Partition {
    fn commit(&mut self, transaction: Transaction, moves: &mut Vec<Moved>) -> Outcome {
        let expected = transaction.changes.iter().all(|change| {
            let before = change.before.as_ref().map(|known| known.version);
            let known = self.records.version(&change.key);
            match planted!(PresenceCompared) {
                true => known.is_some() == before.is_some(),
                false => known == before,
            }
        });
        let torn = planted!(TornTransaction) && !expected;
        if !expected && !torn {
            return Outcome::Conflict;
        }
        let kept = if torn { 1 } else { transaction.changes.len() };
        for change in transaction.changes.into_iter().take(kept) {
            let after = change.after.clone();
            let key = change.key.clone();
            let before = self.records.put(change.key, transaction.version, after);
            moves.extend(
                self.index
                    .replace(&key, before.as_ref(), change.after.as_ref()),
            );
        }
        if torn {
            return Outcome::Conflict;
        }
        Outcome::Committed
    }
}

#[async_trait]
impl Store for Memory {
    fn partitions(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    fn limits(&self) -> Limits {
        Limits {
            transaction: TransactionLimit {
                changes: self.transaction_changes,
                ..TransactionLimit::NONE
            },
            record_bytes: MEMORY_RECORD_BYTES,
            is_far: false,
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
        Ok(match self.partition(partition) {
            Some(partition) => keys.iter().map(|key| partition.records.get(key)).collect(),
            None => vec![None; keys.len()],
        })
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let Some(mut records) = self.partition(partition) else {
            return Err(crate::no_partition(partition, self.partitions()));
        };
        let most = self.transaction_changes;
        if let Some(large) = batch.iter().map(|t| t.changes.len()).find(|n| *n > most) {
            let why = format!("{large} changes at once, at most {most}");
            return Err(StoreError::TooLarge { why });
        }
        let mut moves = Vec::new();
        let outcomes = batch
            .into_iter()
            .map(|transaction| records.commit(transaction, &mut moves))
            .collect();
        self.lanes.apply(moves);
        Ok(outcomes)
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let partition = self.partition(partition);
        Ok(partition.map_or_else(Vec::new, |p| p.index.due(before, limit)))
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        let mut pages = Pages::new(listing);
        for partition in self.all() {
            partition.index.list(listing, &mut pages);
        }
        Ok(pages.finish())
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let mut sum = StatsSum::default();
        for partition in self.all() {
            partition.index.count(&mut sum);
        }
        Ok(sum.finish(&self.oldest()))
    }
}
