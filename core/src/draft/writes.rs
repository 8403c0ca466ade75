use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{Record, RecordKey, TransactionLimit, Write};

/// Most writes that are kept in a plain list.
const FEW: usize = 16;

/// What a decision writes, by key.
pub(crate) struct Writes {
    kept: Kept,
    /// About how many bytes they take, where that matters.
    weight: Option<usize>,
}

/// Most decisions write one or two records, a workflow's submission thousands.
enum Kept {
    /// Sorted by key.
    Few(Vec<Write>),
    Many(BTreeMap<RecordKey, Option<Record>>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Writes {
    pub fn new(limit: &TransactionLimit) -> Self {
        Self {
            kept: Kept::default(),
            weight: limit.bounds_bytes().then_some(0),
        }
    }

    pub fn get(&self, key: &RecordKey) -> Option<&Option<Record>> {
        match &self.kept {
            Kept::Few(writes) => {
                let at = place(writes, key).ok()?;
                Some(&writes[at].record)
            }
            Kept::Many(writes) => writes.get(key),
        }
    }

    pub fn contains(&self, key: &RecordKey) -> bool {
        self.get(key).is_some()
    }

    pub fn insert(&mut self, key: RecordKey, record: Option<Record>) {
        let Some(sum) = &mut self.weight else {
            self.kept.insert(key, record);
            return;
        };
        *sum += weight(record.as_ref());
        let before = self.kept.insert(key, record);
        *sum -= weight(before.flatten().as_ref());
    }

    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Few(writes) => writes.len(),
            Kept::Many(writes) => writes.len(),
        }
    }

    /// Puts back what was to be written under `key` before; `None`: nothing.
    pub fn restore(&mut self, key: RecordKey, before: Option<Option<Record>>) {
        if let Some(before) = before {
            return self.insert(key, before);
        }
        let removed = self.kept.remove(&key);
        if let Some(sum) = &mut self.weight {
            *sum -= weight(removed.flatten().as_ref());
        }
    }

    /// About how many bytes they take; 0 where that does not matter.
    pub fn weight(&self) -> usize {
        self.weight.unwrap_or(0)
    }

    /// All of them, sorted by key.
    pub fn into_vec(self) -> Vec<Write> {
        match self.kept {
            Kept::Few(writes) => writes,
            Kept::Many(writes) => writes
                .into_iter()
                .map(|(key, record)| Write { key, record })
                .collect(),
        }
    }
}

impl Kept {
    /// What was there before.
    fn insert(&mut self, key: RecordKey, record: Option<Record>) -> Option<Option<Record>> {
        match self {
            Self::Few(writes) => match place(writes, &key) {
                Ok(at) => Some(core::mem::replace(&mut writes[at].record, record)),
                Err(at) if writes.len() < FEW => {
                    writes.insert(at, Write { key, record });
                    None
                }
                Err(_) => {
                    let few = core::mem::take(writes).into_iter();
                    let mut many: BTreeMap<_, _> = few.map(|w| (w.key, w.record)).collect();
                    many.insert(key, record);
                    *self = Self::Many(many);
                    None
                }
            },
            Self::Many(writes) => writes.insert(key, record),
        }
    }

    fn remove(&mut self, key: &RecordKey) -> Option<Option<Record>> {
        match self {
            Self::Few(writes) => {
                let at = place(writes, key).ok()?;
                Some(writes.remove(at).record)
            }
            Self::Many(writes) => writes.remove(key),
        }
    }
}

fn weight(record: Option<&Record>) -> usize {
    record.map_or(0, Record::weight)
}

fn place(writes: &[Write], key: &RecordKey) -> Result<usize, usize> {
    writes.binary_search_by(|write| write.key.cmp(key))
}
