use russet_core::{PartitionId, RecordKey};
use russet_engine::{Change, Transaction, Version};

use super::super::item::{self, Item};
use crate::key;
use crate::limits::{DYNAMO_ITEM_BYTES, DYNAMO_TRANSACTION_BYTES, DYNAMO_TRANSACTION_CHANGES};

/// A transaction in items, found to fit.
pub(super) struct Prepared {
    pub(super) version: Version,
    pub(super) writes: Vec<Write>,
}

/// What happens to one item.
#[derive(Clone)]
pub(super) enum Write {
    /// It is written where nothing is.
    Create(Item),
    /// It is written over what has this version.
    Replace(Item, Version),
    /// What has this version is removed.
    Remove(Vec<u8>, Version),
    /// Nothing may be there.
    Absent(Vec<u8>),
}

/// Turns records into items.
///
/// # Errors
/// What is too large, before anything is sent.
pub(super) fn prepare(
    partition: PartitionId,
    transaction: &Transaction,
    listing_shards: u16,
) -> Result<Prepared, String> {
    let changes = transaction.changes.len();
    if changes > DYNAMO_TRANSACTION_CHANGES {
        let most = DYNAMO_TRANSACTION_CHANGES;
        return Err(format!(
            "{changes} changes at once, DynamoDB takes at most {most}"
        ));
    }
    let version = transaction.version;
    let mut writes = Vec::with_capacity(changes);
    let mut bytes = 0;
    for change in &transaction.changes {
        let (write, weight) = write(partition, version, change, listing_shards)?;
        bytes += weight;
        writes.push(write);
    }
    if changes > 1 && bytes > DYNAMO_TRANSACTION_BYTES {
        let most = DYNAMO_TRANSACTION_BYTES;
        return Err(format!(
            "{changes} changes of {bytes} bytes together, DynamoDB takes at most {most} at once: \
             send fewer at a time, or smaller payloads"
        ));
    }
    Ok(Prepared { version, writes })
}

fn write(
    partition: PartitionId,
    version: Version,
    change: &Change,
    listing_shards: u16,
) -> Result<(Write, usize), String> {
    let before = change.before.as_ref().map(|known| known.version);
    let Some(record) = &change.after else {
        let place = key::place(partition, &change.key);
        let weight = place.len();
        let write = match before {
            Some(before) => Write::Remove(place, before),
            None => Write::Absent(place),
        };
        return Ok((write, weight));
    };
    let item = item::of_record(partition, &change.key, version, record, listing_shards);
    let weight = item::weight(&item);
    if weight > DYNAMO_ITEM_BYTES {
        let (record, what) = (item::record_bytes(&item), name(&change.key));
        let most = DYNAMO_ITEM_BYTES;
        return Err(format!(
            "{what} takes {record} bytes, in an item of {weight}, and DynamoDB holds at most \
             {most} in one: keep large payloads, results and checkpoints elsewhere, and send \
             where they are"
        ));
    }
    let write = match before {
        Some(before) => Write::Replace(item, before),
        None => Write::Create(item),
    };
    Ok((write, weight))
}

/// What a user calls a record.
fn name(key: &RecordKey) -> String {
    match key {
        RecordKey::Task(id) => format!("the task {id}"),
        RecordKey::Workflow(id) => format!("the workflow {id}"),
        RecordKey::Queue(name) => format!("the queue {name}"),
        RecordKey::Dependencies(id, _) | RecordKey::Dependents(id, _) => {
            format!("a list of dependencies of the task {id}")
        }
        other => format!("the record {other:?}"),
    }
}
