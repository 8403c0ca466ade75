//! What is known about records while something is decided.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Record, RecordKey, TaskId};

/// Records by key, each present or known to be absent. Tasks, by far the most, stand apart:
/// ids compare faster than keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    tasks: BTreeMap<TaskId, Option<Record>>,
    others: BTreeMap<RecordKey, Option<Record>>,
}

impl Records {
    /// What is known about `key`; `None`: nothing, it was not loaded.
    pub fn get(&self, key: &RecordKey) -> Option<&Option<Record>> {
        match key {
            RecordKey::Task(id) => self.tasks.get(id),
            key => self.others.get(key),
        }
    }

    /// Whether anything is known about `key`.
    pub fn contains_key(&self, key: &RecordKey) -> bool {
        self.get(key).is_some()
    }

    /// Learns about `key`; what was known before is returned.
    pub fn insert(&mut self, key: RecordKey, record: Option<Record>) -> Option<Option<Record>> {
        match key {
            RecordKey::Task(id) => self.tasks.insert(id, record),
            key => self.others.insert(key, record),
        }
    }

    /// Forgets what is known about `key`, and returns it.
    pub fn remove(&mut self, key: &RecordKey) -> Option<Option<Record>> {
        match key {
            RecordKey::Task(id) => self.tasks.remove(id),
            key => self.others.remove(key),
        }
    }

    /// Everything that is known, by key.
    pub fn iter(&self) -> impl Iterator<Item = (RecordKey, &Option<Record>)> {
        let tasks = self.tasks.iter();
        let others = self.others.iter();
        tasks
            .map(|(id, record)| (RecordKey::Task(*id), record))
            .chain(others.map(|(key, record)| (key.clone(), record)))
    }
}

impl Extend<(RecordKey, Option<Record>)> for Records {
    fn extend<I: IntoIterator<Item = (RecordKey, Option<Record>)>>(&mut self, more: I) {
        for (key, record) in more {
            self.insert(key, record);
        }
    }
}

impl FromIterator<(RecordKey, Option<Record>)> for Records {
    fn from_iter<I: IntoIterator<Item = (RecordKey, Option<Record>)>>(all: I) -> Self {
        let mut records = Self::default();
        records.extend(all);
        records
    }
}

impl Serialize for Records {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = alloc::vec::Vec::<(RecordKey, Option<Record>)>::deserialize(deserializer)?;
        Ok(all.into_iter().collect())
    }
}
