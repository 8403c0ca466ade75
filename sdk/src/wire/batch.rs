use std::fmt;

use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::either::{self, Either};
use super::{Json, Problem};
use crate::limits;

/// A request that can be sent many at once.
pub trait Batched {
    /// The key of the list of many.
    const KEY: &'static str = "items";
}

/// One request, or many: `{...}` or `{"items": [{...}]}`, with [`Batched::KEY`] as the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMany<T> {
    /// One; it is answered by its reply, or by a problem.
    One(Box<T>),
    /// Many, as they were sent: each is read by itself, so that one that cannot be read is
    /// refused alone. They are answered by [`Results`].
    Many(Vec<Json>),
}

impl<'de, T: Batched + Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match either::read(deserializer, T::KEY)? {
            Either::Keyed(Items(items)) => Ok(Self::Many(items)),
            Either::Whole(item) => Ok(Self::One(Box::new(item))),
        }
    }
}

impl<T: Batched + Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(item) => item.serialize(serializer),
            Self::Many(items) => keyed(serializer, T::KEY, items),
        }
    }
}

/// As many items as a batch may have; beyond them they are counted and not kept.
struct Items(Vec<Json>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ReadItems)
    }
}

struct ReadItems;

impl<'de> Visitor<'de> for ReadItems {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        while items.len() < limits::BATCH_ITEMS {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(Items(items)),
            }
        }
        let mut count = items.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        match count {
            limits::BATCH_ITEMS => Ok(Items(items)),
            _ => Err(A::Error::invalid_length(count, &BATCH_SIZE)),
        }
    }
}

/// How many items a batch may have.
pub(crate) const BATCH_SIZE: &str = "1 to 1000 items";

/// One reply, or as many as there were requests, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OneOrResults<T> {
    /// The reply to one request.
    One(T),
    /// The replies to many.
    Many(Results<T>),
}

/// What became of each item of a batch, in the order of the items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results<T> {
    /// One for each item.
    pub results: Vec<ItemResult<T>>,
}

/// What became of one item of a batch: its reply, or `{"error": problem}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemResult<T> {
    /// It was done.
    Done(T),
    /// It was refused.
    Error(Box<Problem>),
}

impl<T> ItemResult<T> {
    /// The reply, or the problem.
    ///
    /// # Errors
    /// The item's problem.
    pub fn into_result(self) -> Result<T, Problem> {
        match self {
            Self::Done(reply) => Ok(reply),
            Self::Error(problem) => Err(*problem),
        }
    }
}

impl<T, E: Into<Problem>> From<Result<T, E>> for ItemResult<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(reply) => Self::Done(reply),
            Err(error) => Self::Error(Box::new(error.into())),
        }
    }
}

impl<T: Serialize> Serialize for ItemResult<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Done(reply) => reply.serialize(serializer),
            Self::Error(problem) => keyed(serializer, "error", problem),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ItemResult<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match either::read(deserializer, "error")? {
            Either::Keyed(problem) => Ok(Self::Error(problem)),
            Either::Whole(reply) => Ok(Self::Done(reply)),
        }
    }
}

pub(super) fn keyed<S: Serializer, T: Serialize>(
    serializer: S,
    key: &str,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_batch_is_told_as_it_is() {
        assert_eq!(BATCH_SIZE, format!("1 to {} items", limits::BATCH_ITEMS));
    }
}
