//! The store's records, as its log says.

use std::collections::{BTreeMap, HashMap};

use russet_core::{PartitionId, Record, RecordKey, Task};

use crate::history::Stored;

/// Every record that is there.
#[derive(Default)]
pub(super) struct Mirror<'a> {
    records: HashMap<(PartitionId, &'a RecordKey), &'a Record>,
}

impl<'a> Mirror<'a> {
    /// Does what a commit did.
    pub fn apply(&mut self, stored: &'a Stored) {
        for change in &stored.changes {
            let key = (stored.partition, &change.key);
            match &change.after {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
    }

    pub fn get(&self, partition: PartitionId, key: &'a RecordKey) -> Option<&'a Record> {
        self.records.get(&(partition, key)).copied()
    }

    /// All records, in order.
    pub fn sorted(&self) -> BTreeMap<(PartitionId, &'a RecordKey), &'a Record> {
        self.records.iter().map(|(k, v)| (*k, *v)).collect()
    }
}

/// The task that a record is.
pub(super) fn task(record: Option<&Record>) -> Option<&Task> {
    match record {
        Some(Record::Task(task)) => Some(task),
        _ => None,
    }
}
