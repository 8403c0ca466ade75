use std::sync::Arc;

use hashbrown::HashTable;
use russet_core::{Record, Task, TaskId};
use russet_engine::{Version, Versioned};

/// Tasks with their versions, found by the id that they already hold: a task takes no more
/// room than its pointer and its version.
#[derive(Debug)]
pub(crate) struct TaskTable {
    /// Each grows on its own, so that nobody has to wait until all tasks have moved.
    parts: Vec<HashTable<Slot>>,
}

#[derive(Debug)]
struct Slot {
    version: Version,
    task: Arc<Task>,
}

impl TaskTable {
    /// An empty table in this many parts.
    pub(crate) fn new(parts: usize) -> Self {
        let parts = std::iter::repeat_with(HashTable::new).take(parts);
        Self {
            parts: parts.collect(),
        }
    }

    pub(crate) fn get(&self, id: TaskId) -> Option<Versioned> {
        let slot = self.slot(id)?;
        Some(Versioned {
            version: slot.version,
            record: Record::Task(slot.task.clone()),
        })
    }

    pub(crate) fn version(&self, id: TaskId) -> Option<Version> {
        self.slot(id).map(|slot| slot.version)
    }

    /// What was there before is returned.
    pub(crate) fn put(
        &mut self,
        id: TaskId,
        version: Version,
        task: Arc<Task>,
    ) -> Option<Arc<Task>> {
        let hash = hash(id);
        let part = self.part(hash);
        let table = &mut self.parts[part];
        match table.find_mut(hash, |slot| slot.task.id == id) {
            Some(slot) => {
                slot.version = version;
                Some(std::mem::replace(&mut slot.task, task))
            }
            None => {
                let slot = Slot { version, task };
                table.insert_unique(hash, slot, |slot| self::hash(slot.task.id));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, id: TaskId) -> Option<(Version, Arc<Task>)> {
        let hash = hash(id);
        let part = self.part(hash);
        let known = self.parts[part].find_entry(hash, |slot| slot.task.id == id);
        let slot = known.ok()?.remove().0;
        Some((slot.version, slot.task))
    }

    fn slot(&self, id: TaskId) -> Option<&Slot> {
        let hash = hash(id);
        self.parts[self.part(hash)].find(hash, |slot| slot.task.id == id)
    }

    fn part(&self, hash: u64) -> usize {
        (hash >> 32) as usize % self.parts.len()
    }
}

/// Half of an id's bits are random; the multiplication spreads them over all others.
fn hash(id: TaskId) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bits = id.as_u128();
    let folded = (bits as u64) ^ (bits >> 64) as u64;
    let product = u128::from(folded) * u128::from(ODD);
    (product as u64) ^ (product >> 64) as u64
}
