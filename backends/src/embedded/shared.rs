use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use russet_core::{PartitionId, QueueName, Record, RecordKey, TaskId, Timestamp};
use russet_engine::{Clock, Outcome, StoreError, Version, Versioned};

use super::disk::{self, Disk};
use super::error::DiskError;
use super::fullness::Fullness;
use super::hot::Hot;
use super::request::Request;
use super::writer::Writer;
use crate::index::Index;
use crate::key;
use crate::lanes::Lanes;

/// What the writer and everybody who reads share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Disk,
    pub(crate) partitions: Vec<Mutex<Partition>>,
    pub(crate) lanes: Lanes,
    pub(crate) writer: Mutex<Writer>,
    /// A commit failed and is neither here nor known not to be there: memory may be behind.
    pub(crate) uncertain: AtomicBool,
    pub(crate) fullness: Fullness,
}

/// What is kept in memory of one partition.
pub(crate) struct Partition {
    pub(crate) index: Index,
    pub(crate) hot: Hot,
    /// No task that is stored has a higher id.
    pub(crate) newest: TaskId,
    /// How many commits are in here.
    pub(crate) applied: u64,
}

/// What memory knows of some keys.
pub(crate) struct LookUp {
    pub(crate) records: Vec<Option<Versioned>>,
    /// Positions of those that must be loaded from the file.
    missing: Vec<usize>,
    /// Their keys, as they stand in the file.
    pub(crate) places: Vec<Vec<u8>>,
    /// How many commits were in memory then.
    applied: u64,
}

impl Partition {
    pub(crate) fn new(hot_bytes: usize) -> Self {
        Self {
            index: Index::default(),
            hot: Hot::new(hot_bytes),
            newest: TaskId::from_u128(0),
            applied: 0,
        }
    }

    /// The record, when memory tells whether there is one.
    fn known(&mut self, key: &RecordKey) -> Option<Option<Versioned>> {
        match key {
            RecordKey::Task(id) if *id > self.newest => Some(None),
            key => self.hot.get(key),
        }
    }

    /// The version of the record, when memory tells whether there is one.
    fn known_version(&self, key: &RecordKey) -> Option<Option<Version>> {
        match key {
            RecordKey::Task(id) if *id > self.newest => Some(None),
            key => self.hot.version(key),
        }
    }
}

impl Shared {
    pub(crate) fn name(&self) -> &Path {
        &self.disk.medium().name
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partition that does not exist holds nothing.
    pub(crate) fn partition(&self, id: PartitionId) -> Option<MutexGuard<'_, Partition>> {
        let partition = self.partitions.get(usize::from(id.0))?;
        Some(partition.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes from memory what is known there.
    pub(crate) fn look_up(
        &self,
        id: PartitionId,
        keys: &[RecordKey],
    ) -> Result<LookUp, StoreError> {
        if self.uncertain.load(Ordering::Acquire) {
            self.try_recover()?;
        }
        let mut records = vec![None; keys.len()];
        let (mut missing, mut places) = (Vec::new(), Vec::new());
        let mut applied = 0;
        if let Some(mut partition) = self.partition(id) {
            applied = partition.applied;
            for (at, key) in keys.iter().enumerate() {
                match partition.known(key) {
                    Some(record) => records[at] = record,
                    None => {
                        missing.push(at);
                        places.push(key::place(id, key));
                    }
                }
            }
        }
        Ok(LookUp {
            records,
            missing,
            places,
            applied,
        })
    }

    /// Adds what was loaded from the file, and remembers it unless it may be outdated.
    pub(crate) fn complete(
        &self,
        id: PartitionId,
        keys: &[RecordKey],
        look_up: LookUp,
        loaded: Vec<Option<Versioned>>,
    ) -> Vec<Option<Versioned>> {
        let mut records = look_up.records;
        let mut partition = self.partition(id);
        let unchanged = partition
            .as_mut()
            .filter(|partition| partition.applied == look_up.applied);
        let mut hot = unchanged.map(|partition| &mut partition.hot);
        for (at, record) in look_up.missing.into_iter().zip(loaded) {
            if let Some(hot) = hot.as_mut() {
                hot.put(keys[at].clone(), record.clone());
            }
            records[at] = record;
        }
        records
    }

    /// Loads records from the file. After an error it is opened again and read once more.
    pub(crate) fn load(&self, places: &[Vec<u8>]) -> Result<Vec<Option<Versioned>>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let load = || {
            self.disk.read(|table| {
                let records = places.iter().map(|place| disk::load(table, place));
                records.collect::<Result<Vec<_>, _>>()
            })
        };
        match load() {
            Err(error) if error.breaks() => {
                self.try_recover()?;
                Ok(load()?)
            }
            loaded => Ok(loaded?),
        }
    }

    /// Opens the file again, unless the writer is at work, which does so itself.
    fn try_recover(&self) -> Result<(), StoreError> {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(writer)) => writer.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(DiskError::Busy.into()),
        };
        self.recover(&mut writer).map(|_| ())
    }

    /// The current versions of all records that a request changes, in order.
    pub(crate) fn versions(
        &self,
        request: &Request,
        table: &disk::Writer<'_>,
    ) -> Result<Vec<Option<Version>>, DiskError> {
        let changes = || request.transactions.iter().flat_map(|t| &t.changes);
        let known: Vec<_> = match self.partition(request.partition) {
            Some(partition) => changes()
                .map(|change| partition.known_version(&change.key))
                .collect(),
            None => Vec::new(),
        };
        let versions = changes().zip(known).map(|(change, known)| match known {
            Some(version) => Ok(version),
            None => disk::load_version(table, request.place(change)),
        });
        versions.collect()
    }

    /// Brings memory up to a request that was committed.
    pub(crate) fn enter(&self, request: Request, outcomes: &[Outcome]) {
        let Some(mut partition) = self.partition(request.partition) else {
            return;
        };
        let mut moves = Vec::new();
        for (transaction, outcome) in request.transactions.into_iter().zip(outcomes) {
            if *outcome == Outcome::Conflict {
                continue;
            }
            for change in transaction.changes {
                let before = change.before.as_ref().map(|known| &known.record);
                let moved = partition
                    .index
                    .replace(&change.key, before, change.after.as_ref());
                moves.extend(moved);
                if let RecordKey::Task(id) = &change.key
                    && change.after.is_some()
                {
                    partition.newest = partition.newest.max(*id);
                }
                let version = transaction.version;
                let after = change.after.map(|record| Versioned { version, record });
                partition.hot.put(change.key, after);
            }
        }
        partition.applied += 1;
        drop(partition);
        self.lanes.apply(moves);
    }

    /// When the first ready task of each queue became ready.
    pub(crate) fn oldest(&self) -> Result<BTreeMap<QueueName, Timestamp>, StoreError> {
        let mut oldest = BTreeMap::new();
        for (queue, task) in self.lanes.oldest() {
            let id = task.partition();
            let keys = [RecordKey::Task(task)];
            let look_up = self.look_up(id, &keys)?;
            let loaded = self.load(&look_up.places)?;
            let record = self.complete(id, &keys, look_up, loaded).pop().flatten();
            if let Some(Record::Task(task)) = record.map(|known| known.record)
                && let Some(at) = task.ready_at
            {
                let first = oldest.entry(queue).or_insert(at);
                *first = at.min(*first);
            }
        }
        Ok(oldest)
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{Epoch, Leader};
    use russet_engine::{Change, SystemClock, Transaction};

    use super::super::{EmbeddedOptions, Medium, open};
    use super::*;

    const FIRST: PartitionId = PartitionId(0);

    fn open_in(directory: &Path) -> Shared {
        let medium = Medium::directory(directory).expect("a directory");
        let opened = open::open(medium, EmbeddedOptions::default(), Arc::new(SystemClock));
        opened.expect("it opens")
    }

    fn lead(shared: &Shared, before: Option<Versioned>, version: u64) {
        let after = Record::Leader(Leader {
            holder: russet_core::NodeId::from_u128(1),
            epoch: version,
            expires_at: Timestamp::ZERO,
        });
        let change = Change {
            key: RecordKey::Leader,
            before,
            after: Some(after),
        };
        let transaction = Transaction {
            epoch: Epoch::default(),
            version: Version(version),
            changes: vec![change],
        };
        let request = Request::new(FIRST, vec![transaction]);
        let (request, mut written) = request.expect("it is not too large");
        shared.commit(vec![request]);
        let outcomes = written.try_recv().expect("an answer").expect("a commit");
        assert_eq!(outcomes, [Outcome::Committed]);
    }

    #[test]
    fn what_was_loaded_before_a_commit_is_not_remembered_after_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        lead(&open_in(directory.path()), None, 1);
        let shared = open_in(directory.path());
        let keys = [RecordKey::Leader];
        let look_up = shared.look_up(FIRST, &keys).expect("it is read");
        let loaded = shared.load(&look_up.places).expect("it is loaded");
        lead(&shared, loaded[0].clone(), 2);
        shared.complete(FIRST, &keys, look_up, loaded);
        let now = shared.look_up(FIRST, &keys).expect("it is read");
        let version = now.records[0].as_ref().map(|known| known.version);
        assert_eq!(version, Some(Version(2)));
    }
}
