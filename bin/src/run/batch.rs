//! Decisions on a store that nobody else works on, before a scheduler is started.

use std::collections::HashMap;

use russet_core::{
    Command, Epoch, Millis, PartitionId, Record, RecordKey, Status, TaskId, Undecided, View, decide,
};
use russet_engine::{
    Change, Clock, EngineError, Outcome, Store, StoreError, Transaction, Version, Versioned,
};

use super::prepare::queue_config;

/// Decisions that stand or fall together.
pub(super) struct Batch<'a> {
    store: &'a dyn Store,
    view: View,
    loaded: HashMap<RecordKey, Option<Versioned>>,
    changed: Vec<RecordKey>,
}

impl<'a> Batch<'a> {
    /// No decisions yet.
    pub fn new(store: &'a dyn Store, partition: PartitionId) -> Self {
        Self {
            store,
            view: View {
                partition,
                split: false,
                max_clock_skew: Millis::ZERO,
                queue_defaults: queue_config(),
                ..View::default()
            },
            loaded: HashMap::new(),
            changed: Vec::new(),
        }
    }

    /// Where a task is after these decisions; `None` while none of them has looked at it.
    pub fn status(&self, id: TaskId) -> Option<Status> {
        match self.view.records.get(&RecordKey::Task(id))? {
            Some(Record::Task(task)) => Some(task.status),
            _ => None,
        }
    }

    /// Decides, on the outcome of what was decided before.
    ///
    /// # Errors
    /// What the store says, or what the rules refuse.
    pub async fn decide(
        &mut self,
        command: &Command,
        clock: &dyn Clock,
    ) -> Result<(), EngineError> {
        self.load(command.reads()).await?;
        loop {
            match decide(&self.view, command, clock.now()) {
                Ok(decision) => {
                    self.view.apply(&decision.writes);
                    let keys = decision.writes.into_iter().map(|write| write.key);
                    self.changed.extend(keys);
                    return Ok(());
                }
                Err(Undecided::Missing(keys)) => self.load(keys).await?,
                Err(Undecided::Rejected(rejection)) => return Err(rejection.into()),
                // `run` has its store for itself: nothing changes while it loads.
                Err(Undecided::Contradiction(why)) => panic!("broken invariant: {why}"),
            }
        }
    }

    async fn load(&mut self, keys: Vec<RecordKey>) -> Result<(), StoreError> {
        let known = |key: &RecordKey| self.loaded.contains_key(key);
        let keys: Vec<_> = keys.into_iter().filter(|key| !known(key)).collect();
        let records = self.store.get(self.view.partition, &keys).await?;
        for (key, found) in keys.into_iter().zip(records) {
            let record = found.as_ref().map(|versioned| versioned.record.clone());
            self.view.records.insert(key.clone(), record);
            self.loaded.insert(key, found);
        }
        Ok(())
    }

    /// Commits all of them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn commit(mut self, version: Version) -> Result<(), EngineError> {
        self.changed.sort_unstable();
        self.changed.dedup();
        let changes = self.changed.iter().map(|key| Change {
            key: key.clone(),
            before: self.loaded.get(key).cloned().flatten(),
            after: self.view.records.get(key).cloned().flatten(),
        });
        let changes: Vec<_> = changes.collect();
        if changes.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            epoch: Epoch::default(),
            version,
            changes,
        };
        let outcomes = self
            .store
            .commit(self.view.partition, vec![transaction])
            .await?;
        match outcomes.as_slice() {
            [Outcome::Committed] => Ok(()),
            _ => Err(EngineError::Contended {
                retry_after: russet_engine::limits::RETRY_AFTER,
            }),
        }
    }
}
