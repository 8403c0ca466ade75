//! How record keys are written: partition, kind, then the id in big-endian order. Ids begin
//! with a time, so tasks that are used at the same time are near each other in the file.

use russet_core::{
    IdempotencyKey, MessageId, PartitionId, QueueName, RecordKey, TaskId, WorkflowId,
};

const TASK: u8 = 1;
const DEPENDENCIES: u8 = 2;
const DEPENDENTS: u8 = 3;
const WAITS: u8 = 4;
const DEDUP: u8 = 5;
const WORKFLOW: u8 = 6;
const QUEUE: u8 = 7;
const OUTBOX: u8 = 8;
const LEADER: u8 = 9;
const GATED: u8 = 10;
const COPY: u8 = 11;

/// Appends the bytes of a key.
pub(crate) fn write(partition: PartitionId, key: &RecordKey, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&partition.0.to_be_bytes());
    let mut put = |kind: u8, parts: &[&[u8]]| {
        bytes.push(kind);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
    };
    match key {
        RecordKey::Task(id) => put(TASK, &[&id.as_u128().to_be_bytes()]),
        RecordKey::Dependencies(id, chunk) => put(
            DEPENDENCIES,
            &[&id.as_u128().to_be_bytes(), &chunk.to_be_bytes()],
        ),
        RecordKey::Dependents(id, chunk) => put(
            DEPENDENTS,
            &[&id.as_u128().to_be_bytes(), &chunk.to_be_bytes()],
        ),
        RecordKey::Waits(child, parent) => put(
            WAITS,
            &[
                &child.as_u128().to_be_bytes(),
                &parent.as_u128().to_be_bytes(),
            ],
        ),
        RecordKey::Dedup(key) => put(DEDUP, &[key.as_str().as_bytes()]),
        RecordKey::Workflow(id) => put(WORKFLOW, &[&id.as_u128().to_be_bytes()]),
        RecordKey::Queue(name) => put(QUEUE, &[name.as_str().as_bytes()]),
        RecordKey::Outbox(id) => put(OUTBOX, &[&id.as_u128().to_be_bytes()]),
        RecordKey::Leader => put(LEADER, &[]),
        RecordKey::Copy => put(COPY, &[]),
        RecordKey::Gated(id, list) => {
            put(GATED, &[&id.as_u128().to_be_bytes(), &list.to_be_bytes()])
        }
    }
}

/// The bytes of a key.
pub(crate) fn place(partition: PartitionId, key: &RecordKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 + 16);
    write(partition, key, &mut bytes);
    bytes
}

/// The key that these bytes are of; `None` when they are of none.
pub(crate) fn read(bytes: &[u8]) -> Option<(PartitionId, RecordKey)> {
    let (partition, rest) = bytes.split_first_chunk::<2>()?;
    let (kind, rest) = rest.split_first()?;
    let key = match *kind {
        TASK => RecordKey::Task(task(rest)?),
        DEPENDENCIES | DEPENDENTS => {
            let (id, chunk) = rest.split_first_chunk::<16>()?;
            let (id, chunk) = (task(id)?, u32::from_be_bytes(chunk.try_into().ok()?));
            match *kind {
                DEPENDENCIES => RecordKey::Dependencies(id, chunk),
                _ => RecordKey::Dependents(id, chunk),
            }
        }
        WAITS => {
            let (child, parent) = rest.split_first_chunk::<16>()?;
            RecordKey::Waits(task(child)?, task(parent)?)
        }
        DEDUP => RecordKey::Dedup(IdempotencyKey::new(text(rest)?).ok()?),
        WORKFLOW => RecordKey::Workflow(WorkflowId::from_u128(number(rest)?)),
        QUEUE => RecordKey::Queue(QueueName::new(text(rest)?).ok()?),
        OUTBOX => RecordKey::Outbox(MessageId::from_u128(number(rest)?)),
        LEADER if rest.is_empty() => RecordKey::Leader,
        COPY if rest.is_empty() => RecordKey::Copy,
        GATED => {
            let (id, list) = rest.split_first_chunk::<16>()?;
            let id = WorkflowId::from_u128(u128::from_be_bytes(*id));
            RecordKey::Gated(id, u32::from_be_bytes(list.try_into().ok()?))
        }
        _ => return None,
    };
    Some((PartitionId(u16::from_be_bytes(*partition)), key))
}

fn task(bytes: &[u8]) -> Option<TaskId> {
    number(bytes).map(TaskId::from_u128)
}

fn number(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = RecordKey> {
        let id = || any::<u128>().prop_map(TaskId::from_u128);
        prop_oneof![
            id().prop_map(RecordKey::Task),
            (id(), any::<u32>()).prop_map(|(id, n)| RecordKey::Dependencies(id, n)),
            (id(), any::<u32>()).prop_map(|(id, n)| RecordKey::Dependents(id, n)),
            (id(), id()).prop_map(|(child, parent)| RecordKey::Waits(child, parent)),
            "[ -~ü]{1,40}".prop_filter_map("a key", |text| {
                IdempotencyKey::new(text).ok().map(RecordKey::Dedup)
            }),
            any::<u128>().prop_map(|id| RecordKey::Workflow(WorkflowId::from_u128(id))),
            "[a-z.:-]{1,40}".prop_filter_map("a name", |text| {
                QueueName::new(text).ok().map(RecordKey::Queue)
            }),
            any::<u128>().prop_map(|id| RecordKey::Outbox(MessageId::from_u128(id))),
            Just(RecordKey::Leader),
            Just(RecordKey::Copy),
            (any::<u128>(), any::<u32>())
                .prop_map(|(id, n)| RecordKey::Gated(WorkflowId::from_u128(id), n)),
        ]
    }

    proptest! {
        #[test]
        fn every_key_reads_back(partition: u16, key in keys()) {
            let bytes = place(PartitionId(partition), &key);
            prop_assert_eq!(read(&bytes), Some((PartitionId(partition), key)));
        }

        #[test]
        fn bytes_that_are_no_key_are_refused_without_a_panic(bytes: Vec<u8>) {
            if let Some((partition, key)) = read(&bytes) {
                prop_assert_eq!(place(partition, &key), bytes);
            }
        }

        #[test]
        fn keys_of_later_tasks_sort_later(partition: u16, a: u128, b: u128) {
            let bytes = |id| place(PartitionId(partition), &RecordKey::Task(TaskId::from_u128(id)));
            prop_assert_eq!(a.cmp(&b), bytes(a).cmp(&bytes(b)));
        }
    }
}
