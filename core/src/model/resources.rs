use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize, Serializer};

use crate::ResourceName;

/// Amounts of named resources, sorted by name, none of them zero: what a task needs,
/// or what a worker has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "Vec<(ResourceName, u64)>")]
pub struct Resources(Option<Arc<[(ResourceName, u64)]>>);

impl Resources {
    /// No resources.
    pub const NONE: Self = Self(None);

    /// The resource `name` in this amount; zero when it is not among them.
    pub fn amount(&self, name: &ResourceName) -> u64 {
        let amounts = self.amounts();
        match amounts.binary_search_by(|(known, _)| known.cmp(name)) {
            Ok(at) => amounts[at].1,
            Err(_) => 0,
        }
    }

    /// Names and amounts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, u64)> {
        self.amounts().iter().map(|(name, amount)| (name, *amount))
    }

    /// How many different resources there are.
    pub fn len(&self) -> usize {
        self.amounts().len()
    }

    fn amounts(&self) -> &[(ResourceName, u64)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Vec<(ResourceName, u64)>> for Resources {
    fn from(amounts: Vec<(ResourceName, u64)>) -> Self {
        amounts.into_iter().collect()
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.amounts().serialize(serializer)
    }
}

impl FromIterator<(ResourceName, u64)> for Resources {
    /// Amounts of one name are added up; zeros are left out.
    fn from_iter<I: IntoIterator<Item = (ResourceName, u64)>>(amounts: I) -> Self {
        let mut sorted: Vec<_> = amounts.into_iter().filter(|(_, n)| *n > 0).collect();
        sorted.sort();
        sorted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(later.1);
            }
            same
        });
        Self((!sorted.is_empty()).then(|| sorted.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn amounts_that_are_read_are_sorted_added_up_and_not_zero() {
        let amounts = [("gpu", 1), ("cpu", 2), ("disk", 0), ("cpu", 3)];
        let named = |(name, n): (&str, u64)| Some((ResourceName::new(name).ok()?, n));
        let amounts: Vec<_> = amounts.into_iter().filter_map(named).collect();
        let read: Result<Resources, _> = postcard::from_bytes(&codec::encode(&amounts));
        let expected: Resources = amounts.into_iter().collect();
        assert_eq!(read, Ok(expected.clone()));
        let names: Vec<_> = expected
            .iter()
            .map(|(name, n)| (name.as_str(), n))
            .collect();
        assert_eq!(names, [("cpu", 5), ("gpu", 1)]);
    }
}
