//! How records and index entries stand in hashes and sorted sets. Scores of sorted sets are
//! 64-bit floats, and members of equal scores are sorted by their bytes.
//!
//! Ids are written without their partition where it is that of the key. That saves memory:
//! there is one entry for each task and index.

use russet_core::{
    MessageId, PartitionId, RecordKey, Status, TaskId, TimerKey, Timestamp, WorkflowId,
};

use crate::index::keys::Place;
use crate::key;

const ID: usize = size_of::<u128>();
const SCORE: usize = size_of::<i64>();
/// An id without its partition.
const SHORT: usize = ID - PARTITION;
const PARTITION: usize = size_of::<u16>();
/// The bytes of an id before its partition.
const TIME: usize = 6;
/// Turns the bytes of an `i64` into bytes that sort as the numbers do.
const SIGN: u64 = 1 << 63;
/// Larger times are kept as this one: beyond it, floats skip numbers.
const EXACT: u64 = 1 << 53;
/// The longest time that something is hidden, in microseconds: about seventy years, so that
/// the end of it is still exact.
pub(crate) const MICROS_MAX: u64 = 1 << 51;
const TIME_BITS: u32 = 48;

/// Bytes of a member, at most so many as any member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    bytes: [u8; 2 * ID],
    len: usize,
}

impl Member {
    const fn new() -> Self {
        Self {
            bytes: [0; 2 * ID],
            len: 0,
        }
    }

    fn with(mut self, more: &[u8]) -> Self {
        self.bytes[self.len..][..more.len()].copy_from_slice(more);
        self.len += more.len();
        self
    }

    fn with_id(self, partition: PartitionId, id: TaskId) -> Self {
        let bytes = id.as_u128().to_be_bytes();
        match id.partition() == partition {
            true => self.with(&bytes[..TIME]).with(&bytes[TIME + PARTITION..]),
            false => self.with(&bytes),
        }
    }
}

impl AsRef<[u8]> for Member {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The field of a record in the hash of its partition. Those that are not of a task of the
/// partition are longer than an id: shorter ones are filled up with zeros, which no text has.
pub(crate) fn field(partition: PartitionId, record: &RecordKey) -> Vec<u8> {
    if let RecordKey::Task(id) = record
        && id.partition() == partition
    {
        return task(partition, *id).as_ref().to_vec();
    }
    let mut bytes = key::place(partition, record).split_off(PARTITION);
    bytes.resize(bytes.len().max(SHORT + 1), 0);
    bytes
}

/// With what the name of the field ends in which stands what a task is later. The bytes of no
/// field of another record end so: numbers are longer, and texts have no zeros.
pub(crate) const LATER: &[u8] = &[0, 0];

/// The field of which this is the later one.
pub(crate) fn first_of(later: &[u8]) -> Option<&[u8]> {
    let first = later.strip_suffix(LATER)?;
    (first.len() == SHORT).then_some(first)
}

/// The record whose field this is.
pub(crate) fn read_field(partition: PartitionId, field: &[u8]) -> Option<RecordKey> {
    if field.len() == SHORT {
        return read_task(partition, field).map(RecordKey::Task);
    }
    let end = match field.len() == SHORT + 1 {
        true => field.iter().rposition(|byte| *byte != 0)? + 1,
        false => field.len(),
    };
    let place = [&partition.0.to_be_bytes(), &field[..end]].concat();
    key::read(&place).map(|(_, record)| record)
}

/// A place among the ready tasks of a lane: the score as a float, which may be rounded, then
/// as bytes, then the id. So rounding makes ties, and the bytes decide them exactly.
pub(crate) fn place(partition: PartitionId, place: Place) -> Member {
    let score = (place.score as u64 ^ SIGN).to_be_bytes();
    Member::new().with(&score).with_id(partition, place.task)
}

/// The place that these bytes are of.
pub(crate) fn read_place(partition: PartitionId, bytes: &[u8]) -> Option<Place> {
    let (score, id) = bytes.split_first_chunk::<SCORE>()?;
    Some(Place {
        score: (u64::from_be_bytes(*score) ^ SIGN) as i64,
        task: read_task(partition, id)?,
    })
}

/// A timer.
pub(crate) fn timer(partition: PartitionId, timer: TimerKey) -> Member {
    let (kind, id) = match timer {
        TimerKey::Task(id) if id.partition() == partition => return task(partition, id),
        TimerKey::Task(id) => (b't', id.as_u128()),
        TimerKey::Outbox(id) => (b'u', id.as_u128()),
        TimerKey::Workflow(id) => (b'w', id.as_u128()),
    };
    Member::new().with(&[kind]).with(&id.to_be_bytes())
}

/// The timer that these bytes are of.
pub(crate) fn read_timer(partition: PartitionId, bytes: &[u8]) -> Option<TimerKey> {
    if bytes.len() == SHORT {
        return read_task(partition, bytes).map(TimerKey::Task);
    }
    let (kind, id) = bytes.split_first()?;
    let id = u128::from_be_bytes(id.try_into().ok()?);
    Some(match kind {
        b't' => TimerKey::Task(TaskId::from_u128(id)),
        b'u' => TimerKey::Outbox(MessageId::from_u128(id)),
        b'w' => TimerKey::Workflow(WorkflowId::from_u128(id)),
        _ => return None,
    })
}

/// The score of a timer.
pub(crate) fn timer_score(at: Timestamp) -> u64 {
    at.as_millis().min(EXACT)
}

/// A task of a workflow, or with what those of a workflow begin.
pub(crate) fn of_workflow(
    partition: PartitionId,
    workflow: WorkflowId,
    task: Option<TaskId>,
) -> Member {
    let member = Member::new().with(&workflow.as_u128().to_be_bytes());
    task.map_or(member, |task| member.with_id(partition, task))
}

/// The task in the member of a workflow.
pub(crate) fn read_of_workflow(partition: PartitionId, bytes: &[u8]) -> Option<TaskId> {
    read_task(partition, bytes.get(ID..)?)
}

/// A task by itself.
pub(crate) fn task(partition: PartitionId, id: TaskId) -> Member {
    Member::new().with_id(partition, id)
}

/// The task that these bytes are of.
pub(crate) fn read_task(partition: PartitionId, bytes: &[u8]) -> Option<TaskId> {
    let id = match bytes.len() {
        SHORT => {
            let (time, random) = bytes.split_at(TIME);
            [time, &partition.0.to_be_bytes(), random].concat()
        }
        _ => bytes.to_vec(),
    };
    let id = u128::from_be_bytes(id.try_into().ok()?);
    Some(TaskId::from_u128(id))
}

/// Where a task stands among those of its queue: by status, then by the time in its id. Tasks
/// of the same millisecond are sorted by the rest of their ids, which is the member.
pub(crate) fn listed_score(status: Status, task: TaskId) -> u64 {
    (status as u64) << TIME_BITS | (task.as_u128() >> (u128::BITS - TIME_BITS)) as u64
}

/// The scores of all tasks in a status.
pub(crate) fn listed_scores(status: Status) -> (u64, u64) {
    let first = (status as u64) << TIME_BITS;
    (first, first | ((1 << TIME_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russet_core::{IdempotencyKey, QueueName};

    use super::*;

    const OWN: PartitionId = PartitionId(7);

    /// An id of the partition, or of any.
    fn id(bits: u128, own: bool) -> TaskId {
        let time = Timestamp::from_millis((bits >> 80) as u64);
        match own {
            true => TaskId::new(time, OWN, bits as u64),
            false => TaskId::from_u128(bits),
        }
    }

    proptest! {
        #[test]
        fn places_sort_by_float_and_bytes_as_they_do_by_themselves(
            a: i64, near in -3i64..4, x: u128, y: u128,
        ) {
            let places = [(a, x), (a.saturating_add(near), y)].map(|(score, task)| Place {
                score,
                task: id(task, true),
            });
            let [a, b] = places.map(|p| (p.score as f64, place(OWN, p)));
            let order = a.0.total_cmp(&b.0).then(a.1.as_ref().cmp(b.1.as_ref()));
            prop_assert_eq!(order, places[0].cmp(&places[1]));
        }

        #[test]
        fn listed_tasks_sort_by_status_and_id(s in 0usize..7, t in 0usize..7, x: u128, y: u128) {
            let (x, y) = (id(x, true), id(y, true));
            let listed = |s: usize, id| {
                (listed_score(Status::ALL[s], id) as f64, task(OWN, id))
            };
            let (a, b) = (listed(s, x), listed(t, y));
            let order = a.0.total_cmp(&b.0).then(a.1.as_ref().cmp(b.1.as_ref()));
            prop_assert_eq!(order, (s, x).cmp(&(t, y)));
            let (first, last) = listed_scores(Status::ALL[s]);
            prop_assert!((first as f64..=last as f64).contains(&a.0));
        }

        #[test]
        fn everything_reads_back(bits: u128, own: bool, score: i64) {
            let id = id(bits, own);
            prop_assert_eq!(read_task(OWN, task(OWN, id).as_ref()), Some(id));
            let known = Place { score, task: id };
            prop_assert_eq!(read_place(OWN, place(OWN, known).as_ref()), Some(known));
            let flow = WorkflowId::from_u128(!bits);
            let member = of_workflow(OWN, flow, Some(id));
            prop_assert_eq!(read_of_workflow(OWN, member.as_ref()), Some(id));
            for known in [
                TimerKey::Task(id),
                TimerKey::Outbox(MessageId::from_u128(bits)),
                TimerKey::Workflow(flow),
            ] {
                prop_assert_eq!(read_timer(OWN, timer(OWN, known).as_ref()), Some(known));
            }
        }

        #[test]
        fn fields_of_different_records_differ(a in records(), b in records()) {
            prop_assert_eq!(a == b, field(OWN, &a) == field(OWN, &b));
            prop_assert!(first_of(&field(OWN, &a)).is_none());
            let later = [&field(OWN, &a), LATER].concat();
            prop_assert_ne!(&later, &field(OWN, &b));
            prop_assert_eq!(read_field(OWN, &field(OWN, &a)), Some(a));
        }

        #[test]
        fn other_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = (read_place(OWN, &bytes), read_timer(OWN, &bytes));
            let _ = (read_of_workflow(OWN, &bytes), read_task(OWN, &bytes));
            let _ = read_field(OWN, &bytes);
        }
    }

    /// Those whose fields could be taken for one another.
    fn records() -> impl Strategy<Value = RecordKey> {
        let ids = (0u128..4, any::<bool>());
        prop_oneof![
            ids.prop_map(|(bits, own)| RecordKey::Task(id(bits, own))),
            "[ab]{1,16}"
                .prop_map(|text| { RecordKey::Dedup(IdempotencyKey::new(text).expect("a key")) }),
            "[ab]{1,16}".prop_map(|text| RecordKey::Queue(QueueName::new(text).expect("a name"))),
            Just(RecordKey::Leader),
            Just(RecordKey::Copy),
        ]
    }
}
