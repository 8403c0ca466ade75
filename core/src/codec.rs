//! How records are written down: one byte of format, then the record in postcard.

mod v1;
mod v2;

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Record;

/// The newest format. A change of a stored type takes a new number, and this version goes on
/// reading the old ones.
pub const FORMAT: u8 = 3;

/// What a task takes beside its texts and its edges: the most that is common.
const TASK_BYTES: usize = 256;
/// What an edge takes.
const EDGE_BYTES: usize = 17;
/// What the key of a task or of one of its lists takes.
const KEY_BYTES: usize = 22;
/// What any other record takes beside its edges.
const OTHER_BYTES: usize = 64;

/// Why stored bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes were written by a newer version.
    #[error("the record has format {found}, this version reads up to {FORMAT}: upgrade russet")]
    Newer {
        /// The format of the record.
        found: u8,
    },
    /// The bytes are not a record at all.
    #[error("the record is damaged: restore the data from a backup")]
    Damaged,
}

/// The bytes that store `record`.
pub fn write(record: &Record) -> Vec<u8> {
    append(record, Vec::new())
}

/// `bytes`, and after them those that store `record`.
pub fn append(record: &Record, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reserve(about(record));
    bytes.push(FORMAT);
    postcard::to_extend(record, bytes).unwrap_or_else(|error| unwritable(&error))
}

/// About how many bytes store `record`; mostly some more.
fn about(record: &Record) -> usize {
    match record {
        Record::Task(task) => {
            let progress = task.progress.as_ref();
            let checkpoint = progress.and_then(|progress| progress.checkpoint.as_ref());
            let texts = [task.result.as_deref(), checkpoint].into_iter().flatten();
            let texts = texts.map(|text| text.len()).sum::<usize>();
            let error = task.last_error.as_ref();
            TASK_BYTES
                + texts
                + task.payload.len()
                + task.metadata.len()
                + (task.dependencies.inline.len() + task.dependents.inline.len()) * EDGE_BYTES
                + error.map_or(0, |error| error.message.len())
        }
        Record::Dependencies(edges) | Record::Dependents(edges) => {
            OTHER_BYTES + edges.len() * EDGE_BYTES
        }
        Record::Gated(keys) => OTHER_BYTES + keys.len() * KEY_BYTES,
        _ => OTHER_BYTES,
    }
}

/// The record that `bytes` store.
///
/// # Errors
/// [`CodecError`], whatever the bytes are.
pub fn read(bytes: &[u8]) -> Result<Record, CodecError> {
    match bytes.split_first() {
        Some((&FORMAT, record)) => whole(record),
        Some((1, record)) => whole::<v1::Record>(record)?.try_into(),
        Some((2, record)) => whole::<v2::Record>(record).map(Into::into),
        Some((&found, _)) if found > FORMAT => Err(CodecError::Newer { found }),
        _ => Err(CodecError::Damaged),
    }
}

/// What is written in all of `bytes`.
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(CodecError::Damaged),
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_else(|error| unwritable(&error))
}

/// Writing to memory fails only for types that postcard cannot express.
fn unwritable(error: &postcard::Error) -> Vec<u8> {
    panic!("broken invariant: a record cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Leader, NodeId, Timestamp};

    fn leader() -> Record {
        Record::Leader(Leader {
            holder: NodeId::from_u128(7),
            epoch: 3,
            expires_at: Timestamp::from_millis(1_000),
        })
    }

    #[test]
    fn what_follows_a_record_damages_it_and_so_does_a_missing_end() {
        let written = write(&leader());
        assert_eq!(read(&written), Ok(leader()));
        assert_eq!(
            read(&[written.as_slice(), &[0]].concat()),
            Err(CodecError::Damaged)
        );
        assert_eq!(
            read(&written[..written.len() - 1]),
            Err(CodecError::Damaged)
        );
        assert_eq!(read(&[]), Err(CodecError::Damaged));
    }

    #[test]
    fn a_record_of_a_newer_version_says_so() {
        let mut written = write(&leader());
        written[0] = FORMAT + 1;
        assert_eq!(read(&written), Err(CodecError::Newer { found: FORMAT + 1 }));
    }
}
