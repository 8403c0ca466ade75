use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Members in the order of their scores; ties go by the bytes of the member.
#[derive(Clone, Debug, Default)]
pub(super) struct SortedSet {
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<Place>,
}

#[derive(Clone, Debug)]
struct Place(f64, Vec<u8>);

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    /// No score is `NaN`, and both zeros are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        let scores = self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
        scores.then_with(|| self.1.cmp(&other.1))
    }
}

impl SortedSet {
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Whether the member is new. An equal score leaves the old one as it is written: -0 is 0.
    pub(super) fn put(&mut self, member: Vec<u8>, score: f64) -> bool {
        match self.scores.get(&member) {
            Some(before) if *before == score => return false,
            Some(before) => self.order.remove(&Place(*before, member.clone())),
            None => true,
        };
        self.order.insert(Place(score, member.clone()));
        self.scores.insert(member, score).is_none()
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.scores.remove(member) else {
            return false;
        };
        self.order.remove(&Place(score, member.to_vec()))
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], f64)> {
        let places = self.order.iter();
        places.map(|Place(score, member)| (member.as_slice(), *score))
    }
}
