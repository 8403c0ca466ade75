//! Takes back what a session that was killed had leased. The data directory's lock proves that
//! nobody holds these leases any more, so they are released: that costs a task no retry,
//! whereas its lease or its timeout running out would.
//!
//! This comes before a scheduler is started, since its timers would be first.

use std::collections::HashMap;
use std::sync::Arc;

use russet_core::{
    Command, Event, PartitionId, Record, RecordKey, Release, Task, Undecided, View, decide,
};
use russet_engine::{
    Change, Clock, EngineError, Entropy, Outcome, Store, StoreError, Transaction, Version,
    Versioned,
};

use super::limits;

/// Releases the leases of `running` on a store that nobody else works on; returns what
/// happened.
///
/// # Errors
/// What the store says.
pub(super) async fn release(
    store: &dyn Store,
    view: &View,
    running: &[Arc<Task>],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Vec<Event>, EngineError> {
    let mut events = Vec::new();
    for tasks in running.chunks(limits::RELEASES_AT_ONCE) {
        let mut batch = Batch {
            store,
            view: view.clone(),
            loaded: HashMap::new(),
            changed: Vec::new(),
        };
        for task in tasks {
            let Some(lease) = &task.lease else { continue };
            let command = Command::Release(Release {
                task: task.id,
                lease: lease.id,
                delay: None,
                progress: None,
            });
            events.extend(batch.decide(&command, clock).await?);
        }
        batch.commit(Version(entropy.next_u64())).await?;
    }
    Ok(events)
}

/// Decisions that stand or fall together.
struct Batch<'a> {
    store: &'a dyn Store,
    view: View,
    loaded: HashMap<RecordKey, Option<Versioned>>,
    changed: Vec<RecordKey>,
}

impl Batch<'_> {
    async fn decide(
        &mut self,
        command: &Command,
        clock: &dyn Clock,
    ) -> Result<Vec<Event>, EngineError> {
        self.load(command.reads()).await?;
        loop {
            match decide(&self.view, command, clock.now()) {
                Ok(decision) => {
                    self.view.apply(&decision.writes);
                    let keys = decision.writes.into_iter().map(|write| write.key);
                    self.changed.extend(keys);
                    return Ok(decision.events);
                }
                Err(Undecided::Missing(keys)) => self.load(keys).await?,
                Err(Undecided::Rejected(rejection)) => return Err(rejection.into()),
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

    async fn commit(mut self, version: Version) -> Result<(), EngineError> {
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
        let transaction = Transaction { version, changes };
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

/// The tasks of a run, in the order of the file; `None` where one is not there.
///
/// # Errors
/// What the store says.
pub(super) async fn tasks(
    store: &dyn Store,
    partition: PartitionId,
    ids: Vec<russet_core::TaskId>,
) -> Result<Vec<Option<Arc<Task>>>, StoreError> {
    let keys: Vec<_> = ids.into_iter().map(RecordKey::Task).collect();
    let records = store.get(partition, &keys).await?;
    let tasks = records.into_iter().map(|found| match found?.record {
        Record::Task(task) => Some(task),
        _ => None,
    });
    Ok(tasks.collect())
}

#[cfg(test)]
mod tests;
