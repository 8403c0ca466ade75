use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Record, RecordKey, Write};

/// Most writes that are kept in a plain list.
const FEW: usize = 16;

/// What a decision writes, by key. Most decisions write one or two records, a workflow's
/// submission thousands.
pub(crate) enum Writes {
    /// Sorted by key.
    Few(Vec<Write>),
    Many(BTreeMap<RecordKey, Option<Record>>),
}

impl Default for Writes {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Writes {
    pub fn get(&self, key: &RecordKey) -> Option<&Option<Record>> {
        match self {
            Self::Few(writes) => {
                let at = place(writes, key).ok()?;
                Some(&writes[at].record)
            }
            Self::Many(writes) => writes.get(key),
        }
    }

    pub fn contains(&self, key: &RecordKey) -> bool {
        self.get(key).is_some()
    }

    pub fn insert(&mut self, key: RecordKey, record: Option<Record>) {
        match self {
            Self::Few(writes) => match place(writes, &key) {
                Ok(at) => writes[at].record = record,
                Err(at) if writes.len() < FEW => writes.insert(at, Write { key, record }),
                Err(_) => {
                    let few = core::mem::take(writes).into_iter();
                    let mut many: BTreeMap<_, _> = few.map(|w| (w.key, w.record)).collect();
                    many.insert(key, record);
                    *self = Self::Many(many);
                }
            },
            Self::Many(writes) => {
                writes.insert(key, record);
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Few(writes) => writes.len(),
            Self::Many(writes) => writes.len(),
        }
    }

    /// Puts back what was to be written under `key` before; `None`: nothing.
    pub fn restore(&mut self, key: RecordKey, before: Option<Option<Record>>) {
        match (before, &mut *self) {
            (Some(before), _) => self.insert(key, before),
            (None, Self::Few(writes)) => {
                if let Ok(at) = place(writes, &key) {
                    writes.remove(at);
                }
            }
            (None, Self::Many(writes)) => drop(writes.remove(&key)),
        }
    }

    /// About how many bytes they take.
    pub fn weight(&self) -> usize {
        let weight = |record: Option<&Record>| record.map_or(0, Record::weight);
        match self {
            Self::Few(writes) => writes.iter().map(|w| weight(w.record.as_ref())).sum(),
            Self::Many(writes) => writes.values().map(|r| weight(r.as_ref())).sum(),
        }
    }

    /// All of them, sorted by key.
    pub fn into_vec(self) -> Vec<Write> {
        match self {
            Self::Few(writes) => writes,
            Self::Many(writes) => writes
                .into_iter()
                .map(|(key, record)| Write { key, record })
                .collect(),
        }
    }
}

fn place(writes: &[Write], key: &RecordKey) -> Result<usize, usize> {
    writes.binary_search_by(|write| write.key.cmp(key))
}
