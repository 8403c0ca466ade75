use std::collections::HashMap;

use russet_core::{Record, RecordKey};
use russet_engine::{Version, Versioned};

use crate::tasks::TaskTable;

/// Parts of a partition's task table.
const TASK_PARTS: usize = 64;

/// The records of one partition.
#[derive(Debug)]
pub(crate) struct Records {
    tasks: TaskTable,
    others: HashMap<RecordKey, Versioned>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            tasks: TaskTable::new(TASK_PARTS),
            others: HashMap::new(),
        }
    }
}

impl Records {
    pub(crate) fn get(&self, key: &RecordKey) -> Option<Versioned> {
        match key {
            RecordKey::Task(id) => self.tasks.get(*id),
            key => self.others.get(key).cloned(),
        }
    }

    pub(crate) fn version(&self, key: &RecordKey) -> Option<Version> {
        match key {
            RecordKey::Task(id) => self.tasks.version(*id),
            key => self.others.get(key).map(|known| known.version),
        }
    }

    /// Replaces or removes a record, and returns what was there.
    pub(crate) fn put(
        &mut self,
        key: RecordKey,
        version: Version,
        record: Option<Record>,
    ) -> Option<Record> {
        match (key, record) {
            (RecordKey::Task(id), Some(Record::Task(task))) => {
                self.tasks.put(id, version, task).map(Record::Task)
            }
            (RecordKey::Task(id), _) => {
                let removed = self.tasks.remove(id);
                removed.map(|(_, task)| Record::Task(task))
            }
            (key, Some(record)) => {
                let known = self.others.insert(key, Versioned { version, record });
                known.map(|known| known.record)
            }
            (key, None) => self.others.remove(&key).map(|known| known.record),
        }
    }
}
