use std::collections::BTreeMap;

use super::value::{Item, Value, weight};

/// A global index of a table: its entries are those items that have what it goes by.
#[derive(Clone)]
pub(super) struct Index {
    /// The attribute that entries are grouped by.
    pub(super) hash: String,
    /// The attribute that they are sorted by.
    pub(super) sort: String,
    /// What an entry holds beside its keys.
    pub(super) more: Vec<String>,
    /// By what they are grouped by, then by what they are sorted by and the table's key.
    entries: BTreeMap<Value, BTreeMap<Place, Item>>,
    /// Where the entry of an item is, by the table's key.
    placed: BTreeMap<Value, (Value, Value)>,
    /// What it does not show yet, by when it does, and in order.
    coming: BTreeMap<(u64, u64), (Value, Option<Item>)>,
    /// When the last write of an item is shown that is not shown yet.
    last: BTreeMap<Value, u64>,
    count: u64,
}

/// Where an entry is in its group.
pub(super) type Place = (Value, Value);

impl Index {
    pub(super) fn new(hash: String, sort: String, more: Vec<String>) -> Self {
        Self {
            hash,
            sort,
            more,
            entries: BTreeMap::new(),
            placed: BTreeMap::new(),
            coming: BTreeMap::new(),
            last: BTreeMap::new(),
            count: 0,
        }
    }

    /// The entry of an item, if it has one; `key` is the name of the table's key.
    pub(super) fn entry(&self, key: &str, item: &Item) -> Option<Item> {
        item.get(&self.hash)?;
        item.get(&self.sort)?;
        let own = [key, &self.hash, &self.sort].into_iter();
        let names = own.chain(self.more.iter().map(String::as_str));
        let held = names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())));
        Some(held.collect())
    }

    /// An item was written; the index shows that when `at` has come, and not before what was
    /// written to the same item earlier.
    pub(super) fn follow(&mut self, at: u64, key: &Value, entry: Option<Item>) {
        let at = self.last.get(key).map_or(at, |last| at.max(*last));
        self.last.insert(key.clone(), at);
        self.count += 1;
        self.coming.insert((at, self.count), (key.clone(), entry));
    }

    /// Shows what is to be shown now.
    pub(super) fn settle(&mut self, now: u64) {
        while let Some(next) = self.coming.first_entry().filter(|next| next.key().0 <= now) {
            let ((at, _), (key, entry)) = next.remove_entry();
            if self.last.get(&key) == Some(&at) {
                self.last.remove(&key);
            }
            self.show(key, entry);
        }
    }

    fn show(&mut self, key: Value, entry: Option<Item>) {
        if let Some((group, sort)) = self.placed.remove(&key)
            && let Some(entries) = self.entries.get_mut(&group)
        {
            entries.remove(&(sort, key.clone()));
            if entries.is_empty() {
                self.entries.remove(&group);
            }
        }
        let Some(entry) = entry else {
            return;
        };
        let (Some(group), Some(sort)) = (entry.get(&self.hash), entry.get(&self.sort)) else {
            return;
        };
        let (group, sort) = (group.clone(), sort.clone());
        self.placed
            .insert(key.clone(), (group.clone(), sort.clone()));
        let entries = self.entries.entry(group).or_default();
        entries.insert((sort, key), entry);
    }

    /// Whether the group does not show something yet that was written.
    pub(super) fn is_behind(&self, group: &Value) -> bool {
        let mut coming = self.coming.values();
        coming.any(|(key, entry)| {
            let new = entry.as_ref().and_then(|entry| entry.get(&self.hash));
            let old = self.placed.get(key).map(|(old, _)| old);
            new == Some(group) || old == Some(group)
        })
    }

    /// The entries of a group that are shown.
    pub(super) fn group(&self, group: &Value) -> Option<&BTreeMap<Place, Item>> {
        self.entries.get(group)
    }

    /// How many write units it takes to follow a write.
    pub(super) fn units(&self, key: &str, before: Option<&Item>, after: Option<&Item>) -> u64 {
        let before = before.and_then(|item| self.entry(key, item));
        let after = after.and_then(|item| self.entry(key, item));
        let units = |entry: &Item| super::units::write(weight(entry));
        match (before, after) {
            (None, None) => 0,
            (Some(entry), None) | (None, Some(entry)) => units(&entry),
            (Some(before), Some(after)) if before == after => 0,
            (Some(before), Some(after)) => {
                let same = |name: &String| before.get(name) == after.get(name);
                match same(&self.hash) && same(&self.sort) {
                    true => units(&before).max(units(&after)),
                    false => units(&before) + units(&after),
                }
            }
        }
    }
}
