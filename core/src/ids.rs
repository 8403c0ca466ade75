//! Identities: 128-bit numbers written as 26 characters of Crockford base 32.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 26;
/// The digit that each byte stands for, or [`NO_DIGIT`].
const DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = 32;

/// The shard of a store in which transactions are atomic.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 26 characters of 0-9 and a-z without i, l, o and u")]
pub struct IdError;

/// A task's identity. Ids made later sort later, and an id names its partition:
/// 48 bits of milliseconds, 16 of partition, 64 random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Bits);

/// 128 bits, high half first: it compares as the number does, and is aligned as a `u64`, which
/// keeps keys and index entries small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Bits(u64, u64);

impl Bits {
    const fn new(number: u128) -> Self {
        Self((number >> 64) as u64, number as u64)
    }

    const fn get(self) -> u128 {
        (self.0 as u128) << 64 | self.1 as u128
    }
}

impl TaskId {
    /// An id in `partition`, made at `now` from 64 random bits.
    pub const fn new(now: Timestamp, partition: PartitionId, random: u64) -> Self {
        let time = now.as_millis() & 0xffff_ffff_ffff;
        Self(Bits(time << 16 | partition.0 as u64, random))
    }

    /// The partition in which the task lives.
    pub const fn partition(self) -> PartitionId {
        PartitionId(self.0.0 as u16)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Bits);
        text!($name);
    };
}

macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The id with these bits.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Bits::new(bits))
            }

            /// The bits of the id.
            pub const fn as_u128(self) -> u128 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(core::str::from_utf8(&encode(self.as_u128())).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text).map(Self::from_u128)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    let text = encode(self.as_u128());
                    let text = core::str::from_utf8(&text).map_err(serde::ser::Error::custom)?;
                    serializer.serialize_str(text)
                } else {
                    self.as_u128().to_be_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Text(PhantomData))
                } else {
                    <[u8; 16]>::deserialize(deserializer)
                        .map(|b| Self::from_u128(u128::from_be_bytes(b)))
                }
            }
        }
    };
}

text!(TaskId);

id! {
    /// A workflow's identity; it lives in the partition of its tasks, laid out as in [`TaskId`].
    WorkflowId
}

impl WorkflowId {
    /// The partition in which the workflow and its tasks live.
    pub const fn partition(self) -> PartitionId {
        TaskId(self.0).partition()
    }
}

impl From<TaskId> for WorkflowId {
    fn from(id: TaskId) -> Self {
        Self(id.0)
    }
}

id! {
    /// One grant of a task to a worker.
    LeaseId
}

id! {
    /// A message from one partition to another.
    MessageId
}

id! {
    /// A scheduler process.
    NodeId
}

/// What a worker calls itself: at most 128 characters, for people to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub SmolStr);

/// Reads an id from the text that it is written as.
struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err = IdError>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        let letter = ALPHABET[digit];
        digits[letter as usize] = digit as u8;
        digits[letter.to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    digits
}

fn encode(bits: u128) -> [u8; TEXT_LEN] {
    let mut text = [b'0'; TEXT_LEN];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    text
}

fn decode(text: &str) -> Result<u128, IdError> {
    if text.len() != TEXT_LEN {
        return Err(IdError);
    }
    let mut bits: u128 = 0;
    for (position, byte) in text.bytes().enumerate() {
        let digit = DIGITS[usize::from(byte)];
        if digit == NO_DIGIT || (position == 0 && digit > 7) {
            return Err(IdError);
        }
        bits = bits << 5 | u128::from(digit);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    proptest! {
        #[test]
        fn every_id_reads_back_from_its_text(bits: u128) {
            let id = TaskId::from_u128(bits);
            prop_assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse::<TaskId>(), Ok(id));
        }

        #[test]
        fn ids_sort_by_time_and_carry_their_partition(ms in 0u64..1 << 47, p: u16, a: u64, b: u64) {
            let earlier = TaskId::new(Timestamp::from_millis(ms), PartitionId(p), a);
            let later = TaskId::new(Timestamp::from_millis(ms + 1), PartitionId(p), b);
            prop_assert!(earlier < later);
            prop_assert!(earlier.to_string() < later.to_string());
            prop_assert_eq!(later.partition(), PartitionId(p));
        }
    }

    #[test]
    fn texts_that_are_not_ids_are_refused() {
        for text in [
            "",
            "abc",
            "80000000000000000000000000",
            "0000000000000000000000000i",
        ] {
            assert_eq!(text.parse::<TaskId>(), Err(IdError));
        }
    }
}
