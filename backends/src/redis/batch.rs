//! Transactions as the commit script takes them.

use std::collections::BTreeSet;
use std::ops::Range;

use russet_core::{Epoch, Lane, PartitionId, RecordKey};
use russet_engine::{Change, StoreError, Transaction};

use super::call::Args;
use super::index::Index;
use super::keys::Keys;
use super::member;
use super::writer::Writer;
use crate::key;
use crate::limits::{
    REDIS_CALL_BYTES, REDIS_CALL_CHANGES, REDIS_RECORD_BYTES, REDIS_TRANSACTION_CHANGES,
};
use crate::value;

/// A transaction with the fields and the values that it writes.
pub(crate) struct Prepared<'a> {
    transaction: &'a Transaction,
    written: Vec<Written>,
    bytes: usize,
}

struct Written {
    field: Vec<u8>,
    /// The record key, which the value's checksum covers, and the value behind it.
    bytes: Vec<u8>,
    key: usize,
}

impl Written {
    fn value(&self) -> &[u8] {
        &self.bytes[self.key..]
    }
}

/// Writes out what transactions write.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub(crate) fn prepare(
    partition: PartitionId,
    batch: &[Transaction],
) -> Result<Vec<Prepared<'_>>, StoreError> {
    let prepared = batch.iter().map(|transaction| {
        let changes = transaction.changes.len();
        if changes > REDIS_TRANSACTION_CHANGES {
            let most = REDIS_TRANSACTION_CHANGES;
            let why = format!("{changes} changes at once, at most {most}");
            return Err(StoreError::TooLarge { why });
        }
        let written = transaction.changes.iter().map(|change| {
            let mut bytes = Vec::new();
            key::write(partition, &change.key, &mut bytes);
            let key = bytes.len();
            if let Some(record) = &change.after {
                bytes = value::append(0, transaction.version, record, bytes);
            }
            match bytes.len() - key {
                large if large > REDIS_RECORD_BYTES => Err(StoreError::TooLarge {
                    why: format!("a record of {large} bytes, at most {REDIS_RECORD_BYTES}"),
                }),
                _ => Ok(Written {
                    field: member::field(partition, &change.key),
                    bytes,
                    key,
                }),
            }
        });
        let written: Vec<Written> = written.collect::<Result<_, _>>()?;
        let bytes = written.iter().map(|written| written.bytes.len()).sum();
        Ok(Prepared {
            transaction,
            written,
            bytes,
        })
    });
    prepared.collect()
}

/// Divides transactions into calls. Those of a call change different records.
pub(crate) fn calls(prepared: &[Prepared<'_>]) -> Vec<Range<usize>> {
    let mut calls = Vec::new();
    let (mut start, mut changes, mut bytes) = (0, 0, 0);
    let mut seen = BTreeSet::new();
    for (at, next) in prepared.iter().enumerate() {
        let fields = || next.written.iter().map(|written| &written.field);
        let is_full = changes + next.written.len() > REDIS_CALL_CHANGES
            || bytes + next.bytes > REDIS_CALL_BYTES
            || fields().any(|field| seen.contains(field));
        if is_full && at > start {
            calls.push(start..at);
            (start, changes, bytes) = (at, 0, 0);
            seen.clear();
        }
        changes += next.written.len();
        bytes += next.bytes;
        seen.extend(fields());
    }
    calls.push(start..prepared.len());
    calls
}

/// One call of the commit script.
pub(crate) struct Call {
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) args: Args,
    /// Lanes in which tasks arrive.
    pub(crate) lanes: Vec<Lane>,
    /// Of each change the number of its transaction among `chosen`.
    pub(crate) owners: Vec<usize>,
}

/// The call that commits the `chosen` ones.
pub(crate) fn call(
    keys: &Keys,
    channel: &[u8],
    epoch: Epoch,
    prepared: &[Prepared<'_>],
    chosen: &[usize],
) -> Call {
    let mut index = Index::new(keys.id);
    let mut owners = Vec::new();
    let mut changes: Vec<(&Change, &Written)> = Vec::new();
    for (owner, at) in chosen.iter().enumerate() {
        let Prepared {
            transaction,
            written,
            ..
        } = &prepared[*at];
        owners.resize(owners.len() + written.len(), owner);
        changes.extend(transaction.changes.iter().zip(written));
    }
    let mut args = Args::default();
    let creates = changes
        .iter()
        .any(|(change, _)| matches!(change.key, RecordKey::Task(_)) && change.before.is_none());
    args.number(epoch.0).push(if creates { b"0" } else { b"1" });
    args.push(channel).number(changes.len());
    for (_, written) in &changes {
        args.push(&written.field);
    }
    for (change, _) in &changes {
        match &change.before {
            Some(known) => args.push(known.version.0.to_be_bytes()),
            None => args.push(b""),
        };
    }
    for (change, _) in &changes {
        index.replace(change);
    }
    let mut writer = Writer {
        names: vec![keys.meta(), keys.records(), keys.lanes(), keys.queues()],
        args,
    };
    write_records(&changes, &mut writer);
    let lanes = index.write(keys, &mut writer);
    Call {
        keys: writer.names,
        args: writer.args,
        lanes,
        owners,
    }
}

/// A call that changes no record, and yet writes. It is done also when memory is used up.
pub(crate) fn confirmation(keys: &Keys, channel: &[u8], epoch: Epoch) -> Call {
    const META: usize = 1;
    let mut args = Args::default();
    args.number(epoch.0).push(b"1").push(channel).number(0);
    let mut writer = Writer {
        names: vec![keys.meta(), keys.records(), keys.lanes(), keys.queues()],
        args,
    };
    writer.instruction("set", META, b"", ["confirmed", "1"]);
    Call {
        keys: writer.names,
        args: writer.args,
        lanes: Vec::new(),
        owners: Vec::new(),
    }
}

fn write_records(changes: &[(&Change, &Written)], writer: &mut Writer) {
    const RECORDS: usize = 2;
    let removed = changes.iter().filter(|(change, _)| change.after.is_none());
    writer.instruction("remove", RECORDS, b"", removed.map(|(_, w)| &w.field));
    let set = changes.iter().filter(|(change, _)| change.after.is_some());
    let pairs = set.flat_map(|(_, written)| [written.field.as_slice(), written.value()]);
    writer.instruction("set", RECORDS, b"", pairs);
}
