//! What a node reaches its store with: it commits less at once than it could, where the plan says
//! so, and what its commits meet is written down.

use std::sync::Arc;

use async_trait::async_trait;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp, TransactionLimit};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use super::ledger::Ledger;
use crate::history::{Actor, Effect};
use crate::plan::Plan;

/// The store of a node, and how much it changes at once.
pub struct NodeStore {
    store: Arc<dyn Store>,
    transaction: TransactionLimit,
    node: Actor,
    ledger: Ledger,
}

impl NodeStore {
    /// `store`, of which a transaction changes no more than `plan` says.
    pub fn of(store: Arc<dyn Store>, plan: &Plan, node: Actor, ledger: Ledger) -> Arc<dyn Store> {
        let transaction = plan.transaction_of(store.limits().transaction);
        Arc::new(Self {
            store,
            transaction,
            node,
            ledger,
        })
    }

    /// What a commit has met, if anything. What was done and is changed again counts as undone.
    fn met(
        &self,
        partition: PartitionId,
        batch: &[Transaction],
        outcomes: &Result<Vec<Outcome>, StoreError>,
    ) -> Option<Effect> {
        match outcomes {
            Ok(outcomes) => outcomes
                .contains(&Outcome::Conflict)
                .then_some(Effect::CommitConflicted),
            Err(StoreError::Indeterminate { .. }) => {
                let shown = batch.iter().filter(|t| self.ledger.shows(partition, t));
                Some(match shown.count() {
                    0 => Effect::LostCommitUndone,
                    all if all == batch.len() => Effect::LostCommitDone,
                    _ => Effect::LostCommitDoneInPart,
                })
            }
            Err(StoreError::Unavailable { .. }) => Some(Effect::CommitRefused),
            Err(StoreError::Full { .. }) => Some(Effect::StoreFull),
            Err(_) => None,
        }
    }
}

#[async_trait]
impl Store for NodeStore {
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
        let outcomes = self.store.commit(partition, batch.clone()).await;
        if let Some(effect) = self.met(partition, &batch, &outcomes) {
            self.ledger.met(self.node, effect);
        }
        outcomes
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
