//! Requests are JSON objects, on every level. What serde derives would also take a list with
//! the fields in the order of the source, and so leave the names to chance.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

/// Implements serde's traits for requests, which have `#[serde(remote = "Self")]`: that makes
/// what is derived a function of the type alone.
macro_rules! objects {
    ($($request:ty),+ $(,)?) => {$(
        impl<'de> ::serde::Deserialize<'de> for $request {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                $crate::wire::object::read(deserializer)
            }
        }

        impl<'de> $crate::wire::object::Object<'de> for $request {
            fn of_map<A: ::serde::de::MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
                <$request>::deserialize(::serde::de::value::MapAccessDeserializer::new(map))
            }
        }

        impl ::serde::Serialize for $request {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$request>::serialize(self, serializer)
            }
        }
    )+};
}

pub(super) use objects;

/// What is read from an object and from nothing else.
pub(super) trait Object<'de>: Sized {
    /// Reads it from the fields of an object.
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Reads an object; anything else is refused.
pub(super) fn read<'de, D: Deserializer<'de>, T: Object<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Read(PhantomData))
}

struct Read<T>(PhantomData<fn() -> T>);

impl<'de, T: Object<'de>> Visitor<'de> for Read<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with named fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }
}
