//! A task has what its submitter gave it for good, and what changes with each step of its life.
//! So that a large payload is written once and not with every step, what a task is later stands
//! in a field of its own, without what the first one has already.

use std::sync::Arc;

use bytes::Bytes;
use russet_core::{PartitionId, Record, RecordKey, Task, planted};
use russet_engine::{Change, Versioned};

use super::member::{self, LATER};
use crate::limits::REDIS_BODY_BYTES;
use crate::value::{self, ValueError};

/// Whether a record with this key may have a later field.
pub(crate) fn may_be(key: &RecordKey) -> bool {
    matches!(key, RecordKey::Task(_))
}

/// Whether a change finds, or leaves, its record in the later field.
pub(crate) fn is_later(change: &Change) -> bool {
    match change.before.as_ref().map(|known| &known.record) {
        Some(Record::Task(task)) => task.payload.len() + task.metadata.len() >= REDIS_BODY_BYTES,
        _ => false,
    }
}

/// The record as it stands in the later field.
pub(crate) fn without_body(record: &Record) -> Record {
    match record {
        Record::Task(task) => Record::Task(Arc::new(Task {
            payload: Bytes::new(),
            metadata: Bytes::new().into(),
            ..Task::clone(task)
        })),
        other => other.clone(),
    }
}

/// The fields in which a record may stand, the first one first.
pub(crate) fn fields(partition: PartitionId, key: &RecordKey) -> Vec<Vec<u8>> {
    let first = member::field(partition, key);
    match may_be(key) {
        true => vec![first.clone(), [&first, LATER].concat()],
        false => vec![first],
    }
}

/// The record that stands in its fields.
///
/// # Errors
/// Damaged values, or a later field without the first one.
pub(crate) fn read(
    place: &[u8],
    first: Option<&[u8]>,
    later: Option<&[u8]>,
) -> Result<Option<Versioned>, ValueError> {
    let read = |value| value::read(place, value);
    let first = first.map(read).transpose()?;
    let Some(later) = later.map(read).transpose()? else {
        return Ok(first);
    };
    if planted!(RedisBodyForgotten) {
        return Ok(Some(later));
    }
    let Versioned { version, record } = later;
    let first = first.map(|known| known.record);
    let record = first.and_then(|first| whole(&first, record));
    let record = record.ok_or(ValueError::NoRecord)?;
    Ok(Some(Versioned { version, record }))
}

/// A record as it is later, with what it had first; `None` if they are not of a task both.
pub(crate) fn whole(first: &Record, later: Record) -> Option<Record> {
    match (first, later) {
        (Record::Task(first), Record::Task(later)) => Some(Record::Task(Arc::new(Task {
            payload: first.payload.clone(),
            metadata: first.metadata.clone(),
            ..Arc::unwrap_or_clone(later)
        }))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russet_core::{Status, TaskId, Timestamp};
    use russet_engine::Version;

    use super::*;
    use crate::conformance::fixtures::queued;

    const PLACE: &[u8] = b"place";

    fn task(payload: usize, metadata: usize) -> Task {
        Task {
            payload: vec![7; payload].into(),
            metadata: Bytes::from(vec![8; metadata]).into(),
            ..queued(TaskId::from_u128(1), Timestamp::from_millis(5))
        }
    }

    fn known(task: Task) -> Versioned {
        Versioned {
            version: Version(task.attempt),
            record: Record::Task(Arc::new(task)),
        }
    }

    fn value(known: &Versioned) -> Vec<u8> {
        let start = PLACE.len();
        let bytes = value::append(0, known.version, &known.record, PLACE.to_vec());
        bytes[start..].to_vec()
    }

    fn step(before: &Versioned, after: &Versioned) -> Change {
        Change {
            key: RecordKey::Task(TaskId::from_u128(1)),
            before: Some(before.clone()),
            after: Some(after.record.clone()),
        }
    }

    proptest! {
        #[test]
        fn a_task_reads_back_from_its_fields_after_each_step(
            payload in 0..1_200usize, metadata in 0..1_200usize,
        ) {
            let before = known(task(payload, metadata));
            let after = known(Task {
                attempt: 1,
                status: Status::Running,
                ..task(payload, metadata)
            });
            let is_large = payload + metadata >= REDIS_BODY_BYTES;
            prop_assert_eq!(is_later(&step(&before, &after)), is_large);
            let first = value(&before);
            prop_assert_eq!(read(PLACE, Some(&first), None), Ok(Some(before)));
            let later = Versioned {
                record: without_body(&after.record),
                ..after.clone()
            };
            let later = value(&later);
            prop_assert!(later.len() + payload + metadata <= first.len() + 8, "{}", later.len());
            prop_assert_eq!(read(PLACE, Some(&first), Some(&later)), Ok(Some(after)));
        }
    }

    #[test]
    fn what_a_task_is_later_is_damaged_without_what_it_was_first() {
        let later = value(&known(task(0, 0)));
        assert_eq!(read(PLACE, None, Some(&later)), Err(ValueError::NoRecord));
        assert_eq!(read(PLACE, None, None), Ok(None));
        let damaged = Err(ValueError::Short(3));
        assert_eq!(read(PLACE, Some(b"abc"), Some(&later)), damaged);
        assert_eq!(read(PLACE, Some(&later), Some(b"abc")), damaged);
    }
}
