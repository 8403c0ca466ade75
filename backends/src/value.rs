//! How a record stands in a store of bytes: its version, a checksum, then the record as
//! [`codec`] writes it. The checksum covers the key as well, so that a value which is found
//! under another key than its own is noticed like one that was altered.

use crc32fast::Hasher;
use russet_core::Record;
use russet_core::codec::{self, CodecError};
use russet_engine::{Version, Versioned};

/// The bytes before the record.
pub(crate) const HEAD: usize = VERSION + CHECKSUM;
const VERSION: usize = size_of::<u64>();
const CHECKSUM: usize = size_of::<u32>();

/// Why a value is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("its {0} bytes are too few")]
    Short(usize),
    #[error("its checksum is wrong")]
    Altered,
    #[error("its bytes are no record")]
    NoRecord,
    #[error(transparent)]
    Newer(CodecError),
}

impl From<CodecError> for ValueError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Damaged => Self::NoRecord,
            CodecError::Newer { .. } => Self::Newer(error),
        }
    }
}

/// `bytes`, which end with the key that begins at `key`, and after them the value.
pub(crate) fn append(key: usize, version: Version, record: &Record, mut bytes: Vec<u8>) -> Vec<u8> {
    let start = bytes.len();
    bytes.extend_from_slice(&version.0.to_be_bytes());
    bytes.extend_from_slice(&[0; CHECKSUM]);
    let mut bytes = codec::append(record, bytes);
    let (key, value) = bytes[key..].split_at(start - key);
    let checksum = checksum(key, &value[..VERSION], &value[HEAD..]).to_be_bytes();
    bytes[start + VERSION..start + HEAD].copy_from_slice(&checksum);
    bytes
}

/// The version and the record of a value.
pub(crate) fn read(key: &[u8], value: &[u8]) -> Result<Versioned, ValueError> {
    let (version, record) = verified(key, value)?;
    let record = codec::read(record)?;
    Ok(Versioned { version, record })
}

/// The version of a value, without decoding the record.
pub(crate) fn version(key: &[u8], value: &[u8]) -> Result<Version, ValueError> {
    verified(key, value).map(|(version, _)| version)
}

/// The version and the bytes of the record.
fn verified<'a>(key: &[u8], value: &'a [u8]) -> Result<(Version, &'a [u8]), ValueError> {
    let parts = value.split_first_chunk::<VERSION>();
    let parts = parts.and_then(|(v, rest)| Some((v, rest.split_first_chunk::<CHECKSUM>()?)));
    let Some((version, (stored, record))) = parts else {
        return Err(ValueError::Short(value.len()));
    };
    match checksum(key, version, record) == u32::from_be_bytes(*stored) {
        true => Ok((Version(u64::from_be_bytes(*version)), record)),
        false => Err(ValueError::Altered),
    }
}

fn checksum(key: &[u8], version: &[u8], record: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    for part in [key, version, record] {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russet_core::{Leader, NodeId, Timestamp};

    use super::*;

    fn record(epoch: u64) -> Record {
        Record::Leader(Leader {
            holder: NodeId::from_u128(7),
            epoch,
            expires_at: Timestamp::from_millis(1_000),
        })
    }

    fn stored(key: &[u8], version: u64, epoch: u64) -> Vec<u8> {
        let bytes = [b"what was there before".as_slice(), key].concat();
        let start = bytes.len() - key.len();
        let bytes = append(start, Version(version), &record(epoch), bytes);
        assert!(bytes[start..].starts_with(key));
        bytes[start + key.len()..].to_vec()
    }

    proptest! {
        #[test]
        fn every_value_reads_back(key: Vec<u8>, version: u64, epoch: u64) {
            let value = stored(&key, version, epoch);
            let known = Versioned { version: Version(version), record: record(epoch) };
            prop_assert_eq!(super::version(&key, &value), Ok(known.version));
            prop_assert_eq!(read(&key, &value), Ok(known));
        }

        #[test]
        fn a_value_that_was_altered_in_any_byte_is_damaged(
            version: u64, epoch: u64, at: prop::sample::Index, mask in 1u8..,
        ) {
            let mut value = stored(b"key", version, epoch);
            let at = at.index(value.len());
            value[at] ^= mask;
            prop_assert_eq!(read(b"key", &value), Err(ValueError::Altered));
            prop_assert_eq!(super::version(b"key", &value), Err(ValueError::Altered));
        }

        #[test]
        fn a_value_under_another_key_is_damaged(key: Vec<u8>, other: Vec<u8>, epoch: u64) {
            prop_assume!(key != other);
            let value = stored(&key, 1, epoch);
            prop_assert_eq!(read(&other, &value), Err(ValueError::Altered));
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(key: Vec<u8>, value: Vec<u8>) {
            prop_assert!(read(&key, &value).is_err());
        }
    }

    #[test]
    fn a_value_that_was_cut_or_is_all_zeros_is_damaged() {
        let value = stored(b"key", 1, 2);
        for end in 0..value.len() {
            assert!(read(b"key", &value[..end]).is_err(), "{end} bytes");
            assert!(read(b"key", &vec![0; end]).is_err(), "{end} zeros");
        }
    }
}
