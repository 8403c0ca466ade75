//! Takes back what a session that was killed had leased. The data directory's lock proves that
//! nobody holds these leases any more, so they are released: that costs a task no retry,
//! whereas its lease or its timeout running out would.
//!
//! This comes before a scheduler is started, since its timers would be first.

use std::sync::Arc;

use russet_core::{Command, PartitionId, Record, RecordKey, Release, Task};
use russet_engine::{Clock, EngineError, Entropy, Store, StoreError, Version};

use super::batch::Batch;
use super::limits;

/// Releases the leases of `running` on a store that nobody else works on.
///
/// # Errors
/// What the store says.
pub(super) async fn release(
    store: &dyn Store,
    running: &[Arc<Task>],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), EngineError> {
    for tasks in running.chunks(limits::RELEASES_AT_ONCE) {
        let mut batch = Batch::new(store, tasks[0].id.partition());
        for task in tasks {
            let Some(lease) = &task.lease else { continue };
            let command = Command::Release(Release {
                task: task.id,
                lease: lease.id,
                delay: None,
                progress: None,
            });
            batch.decide(&command, clock).await?;
        }
        batch.commit(Version(entropy.next_u64())).await?;
    }
    Ok(())
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
