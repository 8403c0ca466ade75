use std::collections::{BTreeMap, BTreeSet};

use super::resp::Reply;
use super::sorted::SortedSet;

/// What a key holds. A value that holds nothing any more is removed with its key.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Sorted(SortedSet),
}

/// Everything that a server holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Data(BTreeMap<Vec<u8>, Value>);

/// A kind of value, made when the first thing is put into it.
pub(super) trait Kind: Default {
    fn wrap(self) -> Value;
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn is_empty(&self) -> bool;
}

macro_rules! kind {
    ($variant:ident, $type:ty) => {
        impl Kind for $type {
            fn wrap(self) -> Value {
                Value::$variant(self)
            }
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$variant(inner) => Some(inner),
                    _ => None,
                }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$variant(inner) => Some(inner),
                    _ => None,
                }
            }
            fn is_empty(&self) -> bool {
                <$type>::is_empty(self)
            }
        }
    };
}

kind!(Hash, BTreeMap<Vec<u8>, Vec<u8>>);
kind!(Set, BTreeSet<Vec<u8>>);
kind!(Sorted, SortedSet);

pub(super) fn wrong_type() -> Reply {
    Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".into())
}

impl Data {
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.0.remove(key).is_some()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.keys()
    }

    /// Moves what a key holds to where it holds nothing yet; whether that was so.
    pub(super) fn give(&mut self, key: &[u8], to: &mut Self) -> bool {
        if to.has(key) {
            return false;
        }
        let held = self.0.remove(key);
        held.is_some_and(|value| to.0.insert(key.to_vec(), value).is_none())
    }

    /// Takes in what another one holds.
    pub(super) fn copy(&mut self, other: &Self) {
        let held = other.0.iter();
        self.0
            .extend(held.map(|(key, value)| (key.clone(), value.clone())));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What a key holds, if anything.
    pub(super) fn read<K: Kind>(&self, key: &[u8]) -> Result<Option<&K>, Reply> {
        match self.0.get(key) {
            None => Ok(None),
            Some(value) => K::of(value).map(Some).ok_or_else(wrong_type),
        }
    }

    /// Changes what a key holds, or nothing yet.
    pub(super) fn change<K: Kind, T>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut K) -> T,
    ) -> Result<T, Reply> {
        let value = self.0.entry(key.to_vec());
        let value = value.or_insert_with(|| K::default().wrap());
        let inner = K::of_mut(value).ok_or_else(wrong_type)?;
        let done = change(inner);
        if inner.is_empty() {
            self.0.remove(key);
        }
        Ok(done)
    }
}
