//! What stands under a store's names, for whoever looks at a server from outside.

use russet_core::{PartitionId, Record, RecordKey, TaskId};
use russet_engine::Versioned;

use super::apart;
use super::keys;
use super::member;
use crate::{key, value};

/// A field of a hash, or a member of a sorted set.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A record; `None` when it is gone.
    Record(PartitionId, RecordKey, Option<Versioned>),
    /// What a record is later, without what it had first and keeps: see [`Self::whole`].
    Later(PartitionId, RecordKey, Versioned),
    /// A task that waits to be delivered.
    Ready(TaskId),
    /// A task that was delivered, or given back for later.
    Hidden(TaskId),
}

impl Seen {
    /// Reads the field or the member `name` under the name `at` of a store whose names begin
    /// with `prefix`. `value` is that of a field, which may be gone. `None` when it is something
    /// else, or cannot be read.
    pub fn read(prefix: &str, at: &[u8], name: &[u8], value: Option<&[u8]>) -> Option<Self> {
        let (partition, kind) = keys::read(prefix, at)?;
        let task = || Some(member::read_place(partition, name)?.task);
        if kind == b"records" {
            let first = member::first_of(name);
            let key = member::read_field(partition, first.unwrap_or(name))?;
            let place = key::place(partition, &key);
            let record = value.map(|value| value::read(&place, value));
            let record = record.transpose().ok()?;
            return match first {
                None => Some(Self::Record(partition, key, record)),
                // When it is gone, the first field goes with it.
                Some(_) => Some(Self::Later(partition, key, record?)),
            };
        }
        if kind.starts_with(b"ready:") {
            return task().map(Self::Ready);
        }
        match kind.starts_with(b"hidden:") {
            true => task().map(Self::Hidden),
            false => None,
        }
    }

    /// A record as it is later, with what it had first.
    pub fn whole(first: &Record, later: Record) -> Option<Record> {
        apart::whole(first, later)
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{Leader, NodeId, Task, Timestamp};
    use russet_engine::Version;

    use super::super::keys::Names;
    use super::*;
    use crate::conformance::fixtures::queued;

    const OWN: PartitionId = PartitionId(7);
    const NOW: Timestamp = Timestamp::from_millis(9);

    fn leader() -> Record {
        Record::Leader(Leader {
            holder: NodeId::from_u128(7),
            epoch: 3,
            expires_at: Timestamp::from_millis(1_000),
        })
    }

    #[test]
    fn a_record_is_read_from_its_field() {
        let record = leader();
        let version = Version(5);
        let place = key::place(OWN, &RecordKey::Leader);
        let bytes = value::append(0, version, &record, place.clone());
        let at = Names::new("app").partition(OWN).records();
        let field = member::field(OWN, &RecordKey::Leader);
        let known = Versioned { version, record };
        assert_eq!(
            Seen::read("app", &at, &field, Some(&bytes[place.len()..])),
            Some(Seen::Record(OWN, RecordKey::Leader, Some(known)))
        );
        assert_eq!(
            Seen::read("app", &at, &field, None),
            Some(Seen::Record(OWN, RecordKey::Leader, None))
        );
        assert_eq!(Seen::read("other", &at, &field, None), None);
        assert_eq!(Seen::read("app", &at, &field, Some(b"altered")), None);
    }

    #[test]
    fn what_a_record_is_later_is_read_from_its_field_and_is_whole_with_what_it_was_first() {
        let task = |payload: &'static [u8], attempt| Task {
            payload: payload.into(),
            attempt,
            ..queued(TaskId::new(Timestamp::from_millis(5), OWN, 1), NOW)
        };
        let [first, later, whole] = [task(b"large", 0), task(b"", 1), task(b"large", 1)]
            .map(|task| Record::Task(task.into()));
        let key = RecordKey::Task(task(b"", 0).id);
        let (at, place) = (
            Names::new("app").partition(OWN).records(),
            key::place(OWN, &key),
        );
        let field = [&member::field(OWN, &key), member::LATER].concat();
        let bytes = value::append(0, Version(6), &later, place.clone());
        let seen = Seen::read("app", &at, &field, Some(&bytes[place.len()..]));
        let known = Versioned {
            version: Version(6),
            record: later.clone(),
        };
        assert_eq!(seen, Some(Seen::Later(OWN, key, known)));
        assert_eq!(Seen::whole(&first, later.clone()), Some(whole));
        let other = leader();
        assert_eq!(Seen::whole(&other, later), None);
        assert_eq!(
            Seen::read("app", &at, &field, None),
            None,
            "the first field says that it is gone"
        );
        assert_eq!(Seen::read("app", &at, &field, Some(b"altered")), None);
    }
}
