//! Moving everything that an embedded store holds to another store.

use russet_core::{Epoch, Leader, NodeId, PartitionId, QueueName, Record, RecordKey, Timestamp};
use russet_engine::{
    Backend, Change, Clock, Entropy, Outcome, Store, StoreError, Transaction, Version,
};

use crate::embedded::{Embedded, Exported};
use crate::limits::{MIGRATE_BYTES, MIGRATE_PASSES, MIGRATE_PAUSE, MIGRATE_RECORDS, MIGRATE_TRIES};

/// Why a store was not moved. Nothing is lost: the old one still has everything, and the same
/// command goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Ids name the partition that they live in.
    #[error(
        "the old store has {old} partitions and the new one {new}: make the new one with \
         [store] partitions = {old}"
    )]
    Partitions {
        /// Of the old store.
        old: u16,
        /// Of the new store.
        new: u16,
    },
    /// Ready tasks would not be announced.
    #[error(
        "the new store does not announce its ready tasks by itself: move to one with [queue] \
         backend = \"store\", or let the old one drain"
    )]
    Split,
    /// The new store holds something already.
    #[error(
        "the new store is not empty: it has the queue {queue}; move to a store that is empty, \
         such as one with a prefix of its own. A copy that was cut short is taken up only while \
         nothing has run on the old store since. Nothing was written there now"
    )]
    NotEmpty {
        /// A queue that it has.
        queue: QueueName,
    },
    /// A node works on the new store, or has.
    #[error(
        "a node has led partition {} of the new store: what it has ended would begin again. If \
         this store was copied there before, that copy was whole, since no node starts on one that \
         is not: go on with the new store alone. Else move to a store that no node has run on, \
         such as one with a prefix of its own. The old store is not given up", partition.0
    )]
    Used {
        /// The partition.
        partition: PartitionId,
    },
    /// A node had opened the new store just before the copy began.
    #[error(
        "a node has led partition {} of the new store while it was copied there: what it has ended \
         would begin again. Stop it, and move to a store that no node has run on, such as one with \
         a prefix of its own. The old store is not given up", partition.0
    )]
    Joined {
        /// The partition.
        partition: PartitionId,
    },
    /// The new store may have lost what was copied, each time.
    #[error(
        "another server than before answers for the new store whenever a copy ends ({MIGRATE_PASSES} \
         were made), and may not have all of it: look why, and try again then; the same command goes on \
         from here"
    )]
    Unsteady,
    /// Somebody else wrote to the new store.
    #[error(
        "{key:?} is in the new store already, and is another record: the copy is not whole. Move to \
         a store that is empty"
    )]
    Occupied {
        /// The record.
        key: RecordKey,
    },
    /// The old store.
    #[error("the old store: {0}")]
    Old(#[source] StoreError),
    /// The new store.
    #[error("the new store: {0}")]
    New(#[source] StoreError),
}

/// How far a move is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Records that are in the new store.
    pub records: u64,
    /// Records of them that were there already, from an earlier try.
    pub known: u64,
}

/// Copies every record of `old` into the store of `new`, as it is: ids, attempts, leases, keys
/// and timers stay what they were. The new store must be empty, or hold what an earlier try has
/// copied there; `to` names it, and no other. `progress` is called after each batch. Afterwards
/// [`Embedded::retire`] gives the old one up.
///
/// A new store that may have gone back meanwhile, as in a failover of Redis, is copied to again.
/// Until all is there a record says so ([`is_unfinished`]), and no node starts on it.
///
/// # Errors
/// [`MigrateError`].
pub async fn copy(
    old: &Embedded,
    new: &Backend,
    to: &str,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    mut progress: impl FnMut(Moved),
) -> Result<Moved, MigrateError> {
    let partitions = (old.partitions(), new.store.partitions());
    if partitions.0 != partitions.1 {
        let (old, new) = partitions;
        return Err(MigrateError::Partitions { old, new });
    }
    if !new.queue.is_fused() {
        return Err(MigrateError::Split);
    }
    check_unused(&*new.store).await?;
    if !old.is_copied_to(to).map_err(MigrateError::Old)? {
        check_empty(&*new.store).await?;
        old.begin_copy(to).map_err(MigrateError::Old)?;
    }
    let mut known = None;
    for _ in 0..MIGRATE_PASSES {
        put(&*new.store, &[unfinished()], clock, entropy).await?;
        let (moved, copied) = copy_all(old, &*new.store, clock, entropy, &mut progress).await?;
        // What a pass before has copied was not there.
        let known = *known.get_or_insert(moved.known);
        if stands(&*new.store, &copied, clock, entropy).await? {
            check_unused(&*new.store).await?;
            finish(&*new.store, clock, entropy).await?;
            return Ok(Moved { known, ..moved });
        }
    }
    Err(MigrateError::Unsteady)
}

/// Whether a copy into the store was begun and is not whole.
///
/// # Errors
/// [`StoreError`].
pub async fn is_unfinished(store: &dyn Store) -> Result<bool, StoreError> {
    let found = store.get(NOTED, &[RecordKey::Copy]).await?;
    Ok(found.iter().any(Option::is_some))
}

/// Where it is noted that a copy is not whole.
pub(crate) const NOTED: PartitionId = PartitionId(0);

/// What says that a copy is not whole.
fn unfinished() -> Exported {
    Exported {
        partition: NOTED,
        key: RecordKey::Copy,
        record: Record::Leader(Leader {
            holder: NodeId::from_u128(0),
            epoch: 0,
            expires_at: Timestamp::from_millis(0),
        }),
    }
}

/// Says that all of a copy is there.
///
/// # Errors
/// [`MigrateError::New`].
pub async fn finish(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), MigrateError> {
    patiently(clock, async || try_to_finish(store, entropy).await).await
}

async fn try_to_finish(store: &dyn Store, entropy: &dyn Entropy) -> Result<(), MigrateError> {
    let epoch = store.epoch(NOTED);
    let found = store.get(NOTED, &[RecordKey::Copy]).await;
    let found = found.map_err(MigrateError::New)?;
    let Some(before) = found.into_iter().next().flatten() else {
        return Ok(());
    };
    let transaction = Transaction {
        epoch,
        version: Version(entropy.next_u64()),
        changes: vec![Change {
            key: RecordKey::Copy,
            before: Some(before),
            after: None,
        }],
    };
    let outcomes = store.commit(NOTED, vec![transaction]).await;
    match outcomes.map_err(MigrateError::New)?.as_slice() {
        [Outcome::Committed] => Ok(()),
        _ => Err(another_server()),
    }
}

/// A partition that was copied: the epoch that the new store had there before, and one of the
/// records.
struct Copied {
    epoch: Epoch,
    record: Exported,
}

async fn copy_all(
    old: &Embedded,
    new: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    progress: &mut impl FnMut(Moved),
) -> Result<(Moved, Vec<Copied>), MigrateError> {
    let (mut moved, mut last) = (Moved::default(), None);
    let mut copied: Vec<Copied> = Vec::new();
    loop {
        let page = old.export(last.as_ref(), MIGRATE_RECORDS, MIGRATE_BYTES);
        let page = page.map_err(MigrateError::Old)?;
        let Some(newest) = page.last() else {
            return Ok((moved, copied));
        };
        last = Some(newest.clone());
        // Who leads a partition is settled anew among the nodes of the new store.
        let stays = |exported: &Exported| exported.key == RecordKey::Leader;
        let page: Vec<_> = page.into_iter().filter(|e| !stays(e)).collect();
        for records in page.chunk_by(|a, b| a.partition == b.partition) {
            let known = copied.last().map(|copied| copied.record.partition);
            if let Some(first) = records.first().filter(|r| known != Some(r.partition)) {
                copied.push(Copied {
                    epoch: new.epoch(first.partition),
                    record: first.clone(),
                });
            }
            moved.known += put(new, records, clock, entropy).await?;
            moved.records += records.len() as u64;
        }
        progress(moved);
    }
}

/// Whether the new store is still the one that it was before each partition was copied: a commit
/// learns of it.
async fn stands(
    new: &dyn Store,
    copied: &[Copied],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<bool, MigrateError> {
    for Copied { epoch, record } in copied {
        put(new, std::slice::from_ref(record), clock, entropy).await?;
        if new.epoch(record.partition) != *epoch {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn check_empty(store: &dyn Store) -> Result<(), MigrateError> {
    let held = store.stats().await.map_err(MigrateError::New)?;
    match held.queues.into_iter().next() {
        Some(held) => Err(MigrateError::NotEmpty { queue: held.queue }),
        None => Ok(()),
    }
}

/// A node leaves its record when it stops, and none is copied.
async fn check_unused(store: &dyn Store) -> Result<(), MigrateError> {
    for partition in (0..store.partitions()).map(PartitionId) {
        let found = store.get(partition, &[RecordKey::Leader]).await;
        let found = found.map_err(MigrateError::New)?;
        if found.iter().any(Option::is_some) {
            let unfinished = is_unfinished(store).await.map_err(MigrateError::New)?;
            return Err(match unfinished {
                true => MigrateError::Joined { partition },
                false => MigrateError::Used { partition },
            });
        }
    }
    Ok(())
}

/// Creates records of one partition; how many were there already.
async fn put(
    store: &dyn Store,
    records: &[Exported],
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<u64, MigrateError> {
    patiently(clock, async || try_to_put(store, records, entropy).await).await
}

/// Tries again while the new store does not answer.
async fn patiently<T>(
    clock: &dyn Clock,
    attempt: impl AsyncFn() -> Result<T, MigrateError>,
) -> Result<T, MigrateError> {
    let mut tries = 0;
    loop {
        match attempt().await {
            Err(MigrateError::New(
                StoreError::Unavailable { .. } | StoreError::Indeterminate { .. },
            )) if tries < MIGRATE_TRIES => {
                tries += 1;
                clock.sleep(MIGRATE_PAUSE).await;
            }
            done => return done,
        }
    }
}

/// What was refused since another epoch has begun, which is known now.
fn another_server() -> MigrateError {
    let why = "another server than before answers".to_owned();
    MigrateError::New(StoreError::Unavailable { why })
}

async fn try_to_put(
    store: &dyn Store,
    records: &[Exported],
    entropy: &dyn Entropy,
) -> Result<u64, MigrateError> {
    let Some(partition) = records.first().map(|record| record.partition) else {
        return Ok(0);
    };
    let epoch = store.epoch(partition);
    let create = |record: &Exported| Transaction {
        epoch,
        version: Version(entropy.next_u64()),
        changes: vec![Change {
            key: record.key.clone(),
            before: None,
            after: Some(record.record.clone()),
        }],
    };
    let batch = records.iter().map(create).collect();
    let outcomes = store.commit(partition, batch).await;
    let outcomes = outcomes.map_err(MigrateError::New)?;
    let refused = records.iter().zip(outcomes);
    let refused = refused.filter(|(_, outcome)| *outcome == Outcome::Conflict);
    let refused: Vec<_> = refused.map(|(record, _)| record).collect();
    let keys: Vec<_> = refused.iter().map(|record| record.key.clone()).collect();
    let found = store.get(partition, &keys).await;
    let found = found.map_err(MigrateError::New)?;
    for (record, found) in refused.iter().zip(found) {
        match found {
            Some(found) if found.record == record.record => {}
            Some(_) => {
                let key = record.key.clone();
                return Err(MigrateError::Occupied { key });
            }
            None => return Err(another_server()),
        }
    }
    Ok(refused.len() as u64)
}
