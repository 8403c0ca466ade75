//! Objects that mean two things: a known first key says which.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What [`read`] found.
pub(super) enum Either<K, T> {
    /// An object whose only key is the known one: its value.
    Keyed(K),
    /// Any other object.
    Whole(T),
}

/// Reads `{key: K}`, or else a `T`. Unlike an untagged enum it reads only once, keeps raw
/// JSON, and its errors say what is wrong.
pub(super) fn read<'de, D, K, T>(
    deserializer: D,
    key: &'static str,
) -> Result<Either<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_map(Read {
        key,
        what: PhantomData,
    })
}

struct Read<K, T> {
    key: &'static str,
    what: PhantomData<fn() -> (K, T)>,
}

impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for Read<K, T> {
    type Value = Either<K, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object, or {{{:?}: …}}", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first: Option<String> = map.next_key()?;
        if first.as_deref() != Some(self.key) {
            let replay = Replay { first, rest: map };
            return T::deserialize(MapAccessDeserializer::new(replay)).map(Either::Whole);
        }
        let value = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(Either::Keyed(value)),
            Some(other) => Err(A::Error::custom(format_args!(
                "unknown field `{other}`: only `{}` is expected here",
                self.key
            ))),
        }
    }
}

/// A map whose first key was already read.
struct Replay<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Replay<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(key) => {
                let key: StringDeserializer<A::Error> =
                    serde::de::IntoDeserializer::into_deserializer(key);
                seed.deserialize(key).map(Some)
            }
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}
