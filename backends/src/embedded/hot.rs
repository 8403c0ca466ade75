use std::sync::Arc;

use hashbrown::HashMap;
use russet_core::{Record, RecordKey, Task};
use russet_engine::{Version, Versioned};

use crate::tasks::TaskTable;

/// What an entry takes beside the bytes of its record.
const ENTRY_BYTES: usize = 256;
/// What a decoded task takes beside its payload.
const TASK_BYTES: usize = 640;

/// Decoded records that were used lately, and keys that are known to be absent. It keeps two
/// generations: what is used moves to the young one; when that is full, it becomes the old
/// one, and the old one is dropped.
#[derive(Debug)]
pub(crate) struct Hot {
    young: Generation,
    old: Generation,
    generation_bytes: usize,
}

/// The young generation is always asked first: the old one may still have what was replaced.
#[derive(Debug)]
struct Generation {
    tasks: TaskTable,
    others: HashMap<RecordKey, Option<Versioned>>,
    bytes: usize,
}

impl Hot {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            young: Generation::new(),
            old: Generation::new(),
            generation_bytes: bytes / 2,
        }
    }

    /// The record, when it is known whether there is one.
    pub(crate) fn get(&mut self, key: &RecordKey) -> Option<Option<Versioned>> {
        if let Some(known) = self.young.get(key) {
            return Some(known);
        }
        let known = self.old.get(key)?;
        self.put(key.clone(), known.clone());
        Some(known)
    }

    /// The version of the record, when it is known whether there is one.
    pub(crate) fn version(&self, key: &RecordKey) -> Option<Option<Version>> {
        let known = self.young.version(key);
        known.or_else(|| self.old.version(key))
    }

    /// Remembers a record, or that there is none.
    pub(crate) fn put(&mut self, key: RecordKey, record: Option<Versioned>) {
        if let RecordKey::Task(id) = key
            && record.is_none()
        {
            self.old.tasks.remove(id);
        }
        self.young.put(key, record);
        if self.young.bytes > self.generation_bytes {
            self.old = std::mem::replace(&mut self.young, Generation::new());
        }
    }
}

impl Generation {
    fn new() -> Self {
        Self {
            tasks: TaskTable::new(1),
            others: HashMap::new(),
            bytes: 0,
        }
    }

    fn get(&self, key: &RecordKey) -> Option<Option<Versioned>> {
        match key {
            RecordKey::Task(id) => self.tasks.get(*id).map(Some),
            key => self.others.get(key).cloned(),
        }
    }

    fn version(&self, key: &RecordKey) -> Option<Option<Version>> {
        match key {
            RecordKey::Task(id) => self.tasks.version(*id).map(Some),
            key => {
                let known = self.others.get(key)?;
                Some(known.as_ref().map(|known| known.version))
            }
        }
    }

    /// Absent tasks are not remembered: there are too few that anybody asks for.
    fn put(&mut self, key: RecordKey, record: Option<Versioned>) {
        let (version, record) = match record {
            Some(Versioned { version, record }) => (version, Some(record)),
            None => (Version(0), None),
        };
        match (key, record) {
            (RecordKey::Task(id), Some(Record::Task(task))) => {
                self.bytes += task_bytes(&task);
                let before = self.tasks.put(id, version, task);
                self.bytes -= before.as_ref().map_or(0, task_bytes);
            }
            (RecordKey::Task(id), _) => {
                let before = self.tasks.remove(id);
                self.bytes -= before.map_or(0, |(_, task)| task_bytes(&task));
            }
            (key, record) => {
                self.bytes += ENTRY_BYTES + edge_bytes(record.as_ref());
                let record = record.map(|record| Versioned { version, record });
                if let Some(before) = self.others.insert(key, record) {
                    let before = before.as_ref().map(|known| &known.record);
                    self.bytes -= ENTRY_BYTES + edge_bytes(before);
                }
            }
        }
    }
}

fn task_bytes(task: &Arc<Task>) -> usize {
    let checkpoint = task.progress.as_ref().and_then(|p| p.checkpoint.as_ref());
    let texts = [task.result.as_deref(), checkpoint].into_iter().flatten();
    let texts: usize = texts.map(|text| text.len()).sum();
    TASK_BYTES + task.payload.len() + task.metadata.len() + texts
}

fn edge_bytes(record: Option<&Record>) -> usize {
    match record {
        Some(Record::Dependencies(edges) | Record::Dependents(edges)) => {
            edges.len() * size_of::<russet_core::Dependency>()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{MessageId, TaskId, Timestamp};

    use super::*;
    use crate::conformance::fixtures::running;

    fn key(n: u128) -> RecordKey {
        RecordKey::Outbox(MessageId::from_u128(n))
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut hot = Hot::new(100 * ENTRY_BYTES);
        hot.put(key(0), None);
        for n in 1..1_000 {
            hot.put(key(n), None);
            assert_eq!(hot.get(&key(0)), Some(None));
        }
        assert_eq!(hot.get(&key(1)), None);
        assert_eq!(hot.get(&key(999)), Some(None));
    }

    #[test]
    fn its_size_is_bounded() {
        let mut hot = Hot::new(100 * ENTRY_BYTES);
        for n in 0..10_000 {
            hot.put(key(n), None);
            hot.put(key(n), None);
            assert!(hot.young.others.len() + hot.old.others.len() <= 101);
        }
    }

    #[test]
    fn a_task_that_was_removed_does_not_come_back() {
        let mut hot = Hot::new(100 * ENTRY_BYTES);
        let id = TaskId::from_u128(7);
        let task = Record::Task(Arc::new(running(id, Timestamp::ZERO)));
        let version = Version(1);
        let record = task;
        hot.put(RecordKey::Task(id), Some(Versioned { version, record }));
        while hot.young.version(&RecordKey::Task(id)).is_some() {
            let n = hot.young.others.len() as u128;
            hot.put(key(n), None);
        }
        assert_eq!(hot.version(&RecordKey::Task(id)), Some(Some(version)));
        hot.put(RecordKey::Task(id), None);
        assert_eq!(hot.version(&RecordKey::Task(id)), None);
        assert_eq!(hot.get(&RecordKey::Task(id)), None);
    }
}
