use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Most keys in one chunk.
const CHUNK: usize = 64;
/// A chunk with fewer keys than this is joined with the next one when both fit.
const SPARSE: usize = CHUNK / 4;

/// A sorted set of small keys in chunks. Keys that arrive in order, as ids and ready times
/// do, fill their chunks to the end, so that a key costs little more than its own size.
#[derive(Debug)]
pub(crate) struct Sorted<K> {
    chunks: Chunks<K>,
    len: usize,
}

#[derive(Debug)]
enum Chunks<K> {
    One(Vec<K>),
    /// By a lower bound of each chunk's keys, which lies above all keys of the chunk before.
    Many(BTreeMap<K, Vec<K>>),
}

impl<K> Default for Sorted<K> {
    fn default() -> Self {
        Self {
            chunks: Chunks::One(Vec::new()),
            len: 0,
        }
    }
}

impl<K: Ord + Copy> Sorted<K> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn first(&self) -> Option<K> {
        match &self.chunks {
            Chunks::One(keys) => keys.first().copied(),
            Chunks::Many(chunks) => chunks.values().next()?.first().copied(),
        }
    }

    /// Whether the key was not there before.
    pub(crate) fn insert(&mut self, key: K) -> bool {
        let added = match &mut self.chunks {
            Chunks::One(keys) => match insert_into(keys, key) {
                Inserted::Full => {
                    let keys = std::mem::take(keys);
                    let mut chunks = BTreeMap::from([(keys[0], keys)]);
                    let added = insert_among(&mut chunks, key);
                    self.chunks = Chunks::Many(chunks);
                    added
                }
                Inserted::New => true,
                Inserted::Known => false,
            },
            Chunks::Many(chunks) => insert_among(chunks, key),
        };
        self.len += usize::from(added);
        added
    }

    /// Whether the key was there.
    pub(crate) fn remove(&mut self, key: K) -> bool {
        let removed = match &mut self.chunks {
            Chunks::One(keys) => remove_from(keys, key),
            Chunks::Many(chunks) => {
                let removed = remove_among(chunks, key);
                if chunks.is_empty() {
                    self.chunks = Chunks::One(Vec::new());
                }
                removed
            }
        };
        self.len -= usize::from(removed);
        removed
    }

    /// Keys above `after`, lowest first.
    pub(crate) fn ascending(&self, after: Option<K>) -> Box<dyn Iterator<Item = K> + '_> {
        let start = after.map_or(Unbounded, Excluded);
        match &self.chunks {
            Chunks::One(keys) => Box::new(above(keys, after).iter().copied()),
            Chunks::Many(chunks) => {
                let held = after.and_then(|key| holding(chunks, key));
                let head = held.map_or(&[][..], |bound| above(&chunks[&bound], after));
                let rest = chunks.range((start, Unbounded)).flat_map(|(_, keys)| keys);
                Box::new(head.iter().chain(rest).copied())
            }
        }
    }

    /// Keys below `before`, highest first.
    pub(crate) fn descending(&self, before: Option<K>) -> Box<dyn Iterator<Item = K> + '_> {
        match &self.chunks {
            Chunks::One(keys) => Box::new(below(keys, before).iter().rev().copied()),
            Chunks::Many(chunks) => {
                let end = before.map_or(Unbounded, Excluded);
                let parts = chunks.range((Unbounded, end)).rev();
                Box::new(parts.flat_map(move |(_, keys)| below(keys, before).iter().rev().copied()))
            }
        }
    }
}

enum Inserted {
    New,
    Known,
    Full,
}

fn insert_into<K: Ord + Copy>(keys: &mut Vec<K>, key: K) -> Inserted {
    let at = match keys.last() {
        Some(last) if *last >= key => match keys.binary_search(&key) {
            Ok(_) => return Inserted::Known,
            Err(at) => at,
        },
        _ => keys.len(),
    };
    if keys.len() >= CHUNK {
        return Inserted::Full;
    }
    keys.insert(at, key);
    Inserted::New
}

fn insert_among<K: Ord + Copy>(chunks: &mut BTreeMap<K, Vec<K>>, key: K) -> bool {
    let Some((&bound, keys)) = chunks.range_mut((Unbounded, Included(key))).next_back() else {
        return insert_below(chunks, key);
    };
    match insert_into(keys, key) {
        Inserted::New => true,
        Inserted::Known => false,
        Inserted::Full => {
            let upper = if keys.last().is_some_and(|last| *last < key) {
                Vec::with_capacity(CHUNK)
            } else {
                keys.split_off(CHUNK / 2)
            };
            split(chunks, bound, upper, key);
            true
        }
    }
}

/// Puts `key` into the chunk at `bound` or into `upper`, which follows it.
fn split<K: Ord + Copy>(chunks: &mut BTreeMap<K, Vec<K>>, bound: K, mut upper: Vec<K>, key: K) {
    match upper.first() {
        Some(first) if key < *first => {
            let first = *first;
            if let Some(lower) = chunks.get_mut(&bound) {
                insert_into(lower, key);
            }
            chunks.insert(first, upper);
        }
        first => {
            let first = first.copied().unwrap_or(key);
            insert_into(&mut upper, key);
            chunks.insert(first, upper);
        }
    }
}

/// Puts a key that is lower than every bound into the first chunk.
fn insert_below<K: Ord + Copy>(chunks: &mut BTreeMap<K, Vec<K>>, key: K) -> bool {
    match chunks.pop_first() {
        Some((_, mut keys)) if keys.len() < CHUNK => {
            keys.insert(0, key);
            chunks.insert(key, keys);
        }
        Some((bound, keys)) => {
            chunks.insert(bound, keys);
            chunks.insert(key, vec![key]);
        }
        None => {
            chunks.insert(key, vec![key]);
        }
    }
    true
}

fn remove_from<K: Ord>(keys: &mut Vec<K>, key: K) -> bool {
    let Ok(at) = keys.binary_search(&key) else {
        return false;
    };
    keys.remove(at);
    if keys.capacity() > 4 && keys.len() <= keys.capacity() / 4 {
        keys.shrink_to(keys.capacity() / 2);
    }
    true
}

fn remove_among<K: Ord + Copy>(chunks: &mut BTreeMap<K, Vec<K>>, key: K) -> bool {
    let Some((&bound, keys)) = chunks.range_mut((Unbounded, Included(key))).next_back() else {
        return false;
    };
    if !remove_from(keys, key) {
        return false;
    }
    if keys.is_empty() {
        chunks.remove(&bound);
    } else if keys.len() < SPARSE {
        join_next(chunks, bound);
    }
    true
}

fn join_next<K: Ord + Copy>(chunks: &mut BTreeMap<K, Vec<K>>, bound: K) {
    let after = (Excluded(bound), Unbounded);
    let Some((&next, keys)) = chunks.range(after).next() else {
        return;
    };
    if chunks[&bound].len() + keys.len() > CHUNK / 2 {
        return;
    }
    if let Some(moved) = chunks.remove(&next)
        && let Some(keys) = chunks.get_mut(&bound)
    {
        keys.extend(moved);
    }
}

/// The bound of the chunk that would hold `key`.
fn holding<K: Ord + Copy>(chunks: &BTreeMap<K, Vec<K>>, key: K) -> Option<K> {
    chunks
        .range((Unbounded, Included(key)))
        .next_back()
        .map(|(bound, _)| *bound)
}

fn above<K: Ord>(keys: &[K], after: Option<K>) -> &[K] {
    match after {
        Some(after) => &keys[keys.partition_point(|key| *key <= after)..],
        None => keys,
    }
}

fn below<K: Ord>(keys: &[K], before: Option<K>) -> &[K] {
    match before {
        Some(before) => &keys[..keys.partition_point(|key| *key < before)],
        None => keys,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(sorted: &Sorted<u32>, model: &BTreeSet<u32>, probe: u32) {
        assert_eq!(sorted.len(), model.len());
        assert_eq!(sorted.is_empty(), model.is_empty());
        assert_eq!(sorted.first(), model.first().copied());
        assert!(sorted.ascending(None).eq(model.iter().copied()));
        assert!(sorted.descending(None).eq(model.iter().rev().copied()));
        let after = model.range((Excluded(probe), Unbounded)).copied();
        assert!(sorted.ascending(Some(probe)).eq(after));
        let before = model.range(..probe).rev().copied();
        assert!(sorted.descending(Some(probe)).eq(before));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_sorted_set(steps in prop::collection::vec((any::<bool>(), 0u32..600), 0..2_000), probe in 0u32..600) {
            let (mut sorted, mut model) = (Sorted::default(), BTreeSet::new());
            for (insert, key) in steps {
                if insert {
                    prop_assert_eq!(sorted.insert(key), model.insert(key));
                } else {
                    prop_assert_eq!(sorted.remove(key), model.remove(&key));
                }
            }
            check(&sorted, &model, probe);
            while let Some(first) = model.pop_first() {
                prop_assert_eq!(sorted.first(), Some(first));
                prop_assert!(sorted.remove(first));
            }
            prop_assert!(sorted.is_empty());
        }

        #[test]
        fn keys_in_order_or_in_reverse_are_all_kept(count in 0u32..1_000, reverse: bool, thin in 1u32..9) {
            let (mut sorted, mut model) = (Sorted::default(), BTreeSet::new());
            for n in 0..count {
                let key = if reverse { count - n } else { n };
                sorted.insert(key);
                model.insert(key);
            }
            for key in (0..count).filter(|key| key % thin != 0) {
                sorted.remove(key);
                model.remove(&key);
            }
            check(&sorted, &model, count / 2);
        }
    }

    #[test]
    fn keys_in_order_fill_their_chunks() {
        let mut sorted = Sorted::default();
        for key in 0..10_000u32 {
            sorted.insert(key);
        }
        let Chunks::Many(chunks) = &sorted.chunks else {
            panic!("expected several chunks");
        };
        assert_eq!(chunks.len(), 10_000usize.div_ceil(CHUNK));
    }
}
