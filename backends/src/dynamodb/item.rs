//! How a record stands in an item, and what an item weighs.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use crc32fast::hash as crc32;
use russet_core::{
    PartitionId, QueueName, Record, RecordKey, Status, TaskId, TimerKey, Timestamp, WorkflowId,
    entries,
};
use russet_engine::{Version, Versioned};

use crate::key;
use crate::limits::{DYNAMO_LISTING_SHARDS, DYNAMO_TIMER_SHARDS};
use crate::value::{self, HEAD, ValueError};

/// The attributes of an item. The names count for its size, so they are short.
pub(super) const KEY: &str = "k";
pub(super) const VERSION: &str = "v";
pub(super) const RECORD: &str = "r";
pub(super) const TIMERS: &str = "t";
pub(super) const DUE: &str = "d";
pub(super) const LISTED: &str = "l";
pub(super) const ID: &str = "i";
pub(super) const READY: &str = "y";
pub(super) const WORKFLOW: &str = "w";
/// Of the item that says how the table was made: its format, and the number of partitions.
pub(super) const FORMAT: &str = "f";
pub(super) const PARTITIONS: &str = "p";
/// Of the same item: the newest format of records that was ever used.
pub(super) const RECORDS: &str = "n";

/// Keys of items that are no records begin with this. No partition has such a number.
const OWN: u8 = 0xff;
/// Listings of what is no task begin with this instead of the number of a part.
const NO_TASKS: u8 = 0xff;
const REGISTERED: u8 = 1;
const CONFIGURED: u8 = 2;

/// The attributes of an item, as the SDK takes them. It is only looked up in.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The value of an attribute of bytes.
pub(super) fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// The value of an attribute that is a number.
pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn bytes_of<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    match item.get(name) {
        Some(AttributeValue::B(blob)) => Some(blob.as_ref()),
        _ => None,
    }
}

pub(super) fn number_of(item: &Item, name: &str) -> Option<u64> {
    match item.get(name) {
        Some(AttributeValue::N(text)) => text.parse().ok(),
        _ => None,
    }
}

/// The key of an item alone.
pub(super) fn only_key(key: Vec<u8>) -> Item {
    Item::from([(KEY.to_owned(), bytes(key))])
}

/// The key of the item that says how the table was made.
pub(super) fn meta_key() -> Vec<u8> {
    vec![OWN, b'm']
}

/// A key under which nothing is ever written.
pub(super) fn nobody_key() -> Vec<u8> {
    vec![OWN, b'-']
}

/// The item that registers the name of a queue, so that its tasks are listed and counted.
pub(super) fn registration(queue: &QueueName) -> Item {
    let name = queue.as_str().as_bytes();
    let mut item = only_key([&[OWN, b'q'], name].concat());
    item.insert(LISTED.to_owned(), bytes(registered()));
    item.insert(ID.to_owned(), bytes(name));
    item
}

/// Where the names of all queues are listed that ever had a task.
pub(super) fn registered() -> Vec<u8> {
    vec![NO_TASKS, REGISTERED]
}

/// Where the names of the queues are listed that were configured.
pub(super) fn configured() -> Vec<u8> {
    vec![NO_TASKS, CONFIGURED]
}

/// The item of a record, with its index entries.
pub(super) fn of_record(
    partition: PartitionId,
    key: &RecordKey,
    version: Version,
    record: &Record,
    listing_shards: u16,
) -> Item {
    let place = key::place(partition, key);
    let length = place.len();
    let mut value = value::append(0, version, record, place);
    let value = value.split_off(length);
    let place = key::place(partition, key);
    let found = entries(record);
    let mut item = Item::with_capacity(8);
    let mut put = |name: &str, value| drop(item.insert(name.to_owned(), value));
    if let Some(at) = found.timer {
        let shard = crc32(&place) % u32::from(DYNAMO_TIMER_SHARDS);
        put(TIMERS, bytes(timers(partition, shard as u8)));
        put(DUE, number(at.as_millis()));
    }
    if let (RecordKey::Task(id), Some(listed)) = (key, &found.listed) {
        let shard = partition.0 % listing_shards;
        put(
            LISTED,
            bytes(self::listed(shard, listed.status, listed.queue)),
        );
        put(ID, bytes(id.as_u128().to_be_bytes()));
        if let Some(workflow) = listed.workflow {
            put(WORKFLOW, bytes(workflow_id(workflow)));
        }
    }
    if let (Record::Task(task), Some(_)) = (record, &found.ready)
        && let Some(at) = task.ready_at
    {
        put(READY, number(at.as_millis()));
    }
    if let RecordKey::Queue(name) = key {
        put(LISTED, bytes(configured()));
        put(ID, bytes(name.as_str()));
    }
    put(VERSION, bytes(version.0.to_be_bytes()));
    put(RECORD, bytes(value));
    put(KEY, bytes(place));
    item
}

/// A part of the timers of a partition.
pub(super) fn timers(partition: PartitionId, shard: u8) -> Vec<u8> {
    let [high, low] = partition.0.to_be_bytes();
    vec![high, low, shard]
}

/// A part of the tasks of a queue that are in this state.
pub(super) fn listed(shard: u16, status: Status, queue: &QueueName) -> Vec<u8> {
    let mut group = vec![shard as u8, status as u8];
    group.extend_from_slice(queue.as_str().as_bytes());
    group
}

/// The state and the queue that a group of tasks is of.
pub(super) fn read_listed(group: &[u8]) -> Option<(Status, &str)> {
    let (head, queue) = group.split_first_chunk::<2>()?;
    let status = Status::ALL.get(usize::from(head[1]))?;
    Some((*status, std::str::from_utf8(queue).ok()?))
}

/// How many parts the tasks of a queue and status are in.
pub(super) fn listing_shards(partitions: u16) -> u16 {
    partitions.clamp(1, DYNAMO_LISTING_SHARDS)
}

pub(super) fn workflow_id(workflow: WorkflowId) -> [u8; 16] {
    workflow.as_u128().to_be_bytes()
}

/// The record of an item that was found under `place`.
pub(super) fn read(place: &[u8], item: &Item) -> Result<Versioned, ValueError> {
    let value = bytes_of(item, RECORD).unwrap_or_default();
    value::read(place, value)
}

/// Whose timer an item is, and when it is due.
pub(super) fn read_timer(item: &Item) -> Option<(Timestamp, TimerKey)> {
    let at = Timestamp::from_millis(number_of(item, DUE)?);
    let (_, key) = key::read(bytes_of(item, KEY)?)?;
    let timer = match key {
        RecordKey::Task(id) => TimerKey::Task(id),
        RecordKey::Outbox(id) => TimerKey::Outbox(id),
        RecordKey::Workflow(id) => TimerKey::Workflow(id),
        _ => return None,
    };
    Some((at, timer))
}

/// The id of a listed task.
pub(super) fn read_id(item: &Item) -> Option<TaskId> {
    let id = bytes_of(item, ID)?.try_into().ok()?;
    Some(TaskId::from_u128(u128::from_be_bytes(id)))
}

/// Bytes of an item, as DynamoDB counts them: names and values of all attributes.
pub(super) fn weight(item: &Item) -> usize {
    let attributes = item.iter().map(|(name, value)| {
        name.len()
            + match value {
                AttributeValue::B(blob) => blob.as_ref().len(),
                AttributeValue::N(text) => text.len().div_ceil(2) + 1,
                _ => 0,
            }
    });
    attributes.sum()
}

/// Bytes of the record in an item.
pub(super) fn record_bytes(item: &Item) -> usize {
    bytes_of(item, RECORD).map_or(0, |value| value.len().saturating_sub(HEAD))
}
