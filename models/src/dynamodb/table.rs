use std::collections::BTreeMap;

use super::error::{invalid, wrong};
use super::index::Index;
use super::units::{self, Consumed};
use super::value::{Item, Kind, PARTITION_KEY, SORT_KEY, Value, check_key, no_key, weight};
use crate::aws::Error;

/// Most bytes of an item.
const ITEM_BYTES: usize = 400 * 1024;

#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// The attribute that is its key.
    pub(super) key: String,
    /// The kinds of all attributes that are part of keys.
    pub(super) kinds: BTreeMap<String, Kind>,
    pub(super) indexes: BTreeMap<String, Index>,
    pub(super) items: BTreeMap<Value, Item>,
    pub(super) made: u64,
    /// When it can be used.
    pub(super) usable: u64,
}

impl Table {
    pub(super) fn kind(&self, attribute: &str) -> Kind {
        self.kinds.get(attribute).copied().unwrap_or(Kind::B)
    }

    /// Whether an item can be written at all.
    pub(super) fn check(&self, item: &Item) -> Result<Value, Error> {
        let key = &self.key;
        let Some(value) = item.get(key) else {
            return Err(wrong(format!("Missing the key {key} in the item")));
        };
        check_key(value, key, PARTITION_KEY)?;
        for index in self.indexes.values() {
            let parts = [(&index.hash, PARTITION_KEY), (&index.sort, SORT_KEY)];
            for (attribute, most) in parts {
                if let Some(value) = item.get(attribute) {
                    check_key(value, attribute, most)?;
                }
            }
        }
        match weight(item) > ITEM_BYTES {
            true => Err(invalid("Item size has exceeded the maximum allowed size")),
            false => Ok(value.clone()),
        }
    }

    /// What part of a key is of another kind than it must be: in transactions this is told
    /// differently from all else that is wrong with an item.
    pub(super) fn mismatch(&self, item: &Item) -> Option<Error> {
        let keys = [(&self.key, None)].into_iter();
        let indexes = self.indexes.iter();
        let indexes = indexes.flat_map(|(name, index)| {
            let name = Some(name);
            [(&index.hash, name), (&index.sort, name)]
        });
        keys.chain(indexes).find_map(|(attribute, index)| {
            let (expected, actual) = (self.kind(attribute), item.get(attribute)?.kind());
            if expected == actual {
                return None;
            }
            let (expected, actual) = (expected.name(), actual.name());
            Some(wrong(match index {
                None => format!(
                    "Type mismatch for key {attribute} expected: {expected} actual: {actual}"
                ),
                Some(index) => format!(
                    "Type mismatch for Index Key {attribute} Expected: {expected} Actual: \
                     {actual} IndexName: {index}"
                ),
            }))
        })
    }

    /// Whether a key is of the kind that it must be.
    pub(super) fn check_key(&self, key: &Value) -> Result<(), Error> {
        match key.kind() == self.kind(&self.key) {
            true => Ok(()),
            false => Err(no_key()),
        }
    }

    /// Writes an item, or deletes what is there. Returns what that consumes.
    pub(super) fn write(
        &mut self,
        key: &Value,
        item: Option<Item>,
        mut shown: impl FnMut() -> u64,
    ) -> Consumed {
        let before = match &item {
            Some(item) => self.items.insert(key.clone(), item.clone()),
            None => self.items.remove(key),
        };
        let bytes = [&before, &item].map(|item| item.as_ref().map_or(0, weight));
        let mut consumed = Consumed::of_table(units::write(bytes[0].max(bytes[1])) as f64);
        for (name, index) in &mut self.indexes {
            let units = index.units(&self.key, before.as_ref(), item.as_ref());
            if units > 0 {
                consumed.indexes.insert(name.clone(), units as f64);
            }
            let was = before
                .as_ref()
                .and_then(|item| index.entry(&self.key, item));
            let is = item.as_ref().and_then(|item| index.entry(&self.key, item));
            if was != is {
                index.follow(shown(), key, is);
            }
        }
        consumed
    }

    /// The indexes show what they are to show now.
    pub(super) fn settle(&mut self, now: u64) {
        for index in self.indexes.values_mut() {
            index.settle(now);
        }
    }
}
