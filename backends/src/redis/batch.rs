//! Transactions as the commit script takes them.

use std::collections::BTreeSet;
use std::ops::Range;

use russet_core::{Epoch, Lane, PartitionId, RecordKey, entries};
use russet_engine::{Change, StoreError, Transaction, Version};

use super::apart;
use super::call::Args;
use super::index::Index;
use super::keys::Keys;
use super::member;
use super::writer::{Members, Writer, once};
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
    /// Whether the record may have, or gets, a field of its own for what it is later.
    is_later: bool,
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
            let is_later = apart::is_later(change);
            match &change.after {
                Some(record) if is_later => {
                    let record = apart::without_body(record);
                    bytes = value::append(0, transaction.version, &record, bytes);
                }
                Some(record) => bytes = value::append(0, transaction.version, record, bytes),
                None => {}
            }
            match bytes.len() - key {
                large if large > REDIS_RECORD_BYTES => Err(StoreError::TooLarge {
                    why: format!("a record of {large} bytes, at most {REDIS_RECORD_BYTES}"),
                }),
                _ => Ok(Written {
                    field: member::field(partition, &change.key),
                    is_later,
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

/// One change of a call.
struct Row<'a> {
    /// The number of its transaction among those that were chosen.
    owner: usize,
    change: &'a Change,
    written: &'a Written,
}

impl Row<'_> {
    /// The version that the record must have, and whether it may stand in the later field.
    fn expected(&self) -> (Option<Version>, bool) {
        let known = self.change.before.as_ref();
        (known.map(|known| known.version), self.written.is_later)
    }
}

/// The changes of the `chosen` ones. Those that are alike follow each other, so that an
/// instruction can name their fields by the number of the first.
fn rows<'a>(prepared: &'a [Prepared<'_>], chosen: &[usize]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (owner, at) in chosen.iter().enumerate() {
        let Prepared {
            transaction,
            written,
            ..
        } = &prepared[*at];
        let changes = transaction.changes.iter().zip(written);
        rows.extend(changes.map(|(change, written)| Row {
            owner,
            change,
            written,
        }));
    }
    rows.sort_by_cached_key(|row| {
        let change: &'a Change = row.change;
        let after = change.after.as_ref().map(entries);
        let queue = after.as_ref().and_then(|after| after.listed.as_ref());
        let queue = queue.map(|listed| listed.queue);
        let is_timed = after.as_ref().is_some_and(|after| after.timer.is_some());
        (after.is_none(), queue, row.written.is_later, is_timed)
    });
    rows
}

/// Whether it makes a task, for which there must be memory.
pub(crate) fn makes_task(transaction: &Transaction) -> bool {
    transaction.changes.iter().any(is_new_task)
}

fn is_new_task(change: &Change) -> bool {
    matches!(change.key, RecordKey::Task(_)) && change.before.is_none()
}

/// The call that commits the `chosen` ones.
pub(crate) fn call(
    keys: &Keys,
    channel: &[u8],
    epoch: Epoch,
    prepared: &[Prepared<'_>],
    chosen: &[usize],
) -> Call {
    let rows = rows(prepared, chosen);
    let mut args = Args::default();
    let creates = rows.iter().any(|row| is_new_task(row.change));
    args.number(epoch.0).push(if creates { b"0" } else { b"1" });
    let expected: Vec<_> = rows.iter().map(Row::expected).collect();
    let expected = once(&expected);
    args.push(channel).number(rows.len()).number(expected.len());
    for row in &rows {
        args.push(&row.written.field);
    }
    for (version, is_later) in expected {
        let mut bytes = version.map_or_else(Vec::new, |known| known.0.to_be_bytes().to_vec());
        if *is_later {
            bytes.extend_from_slice(member::LATER);
        }
        args.push(bytes);
    }
    let mut index = Index::new(keys.id);
    for (at, row) in rows.iter().enumerate() {
        index.replace(row.change, at + 1);
    }
    let mut writer = Writer {
        names: vec![keys.meta(), keys.records(), keys.lanes(), keys.queues()],
        args,
    };
    write_records(&rows, &mut writer);
    let lanes = index.write(keys, &mut writer);
    Call {
        keys: writer.names,
        args: writer.args,
        lanes,
        owners: rows.iter().map(|row| row.owner).collect(),
    }
}

/// A call that changes no record, and yet writes. It is done also when memory is used up.
pub(crate) fn confirmation(keys: &Keys, channel: &[u8], epoch: Epoch) -> Call {
    const META: usize = 1;
    let mut args = Args::default();
    args.number(epoch.0).push(b"1").push(channel);
    args.number(0).number(0);
    let mut writer = Writer {
        names: vec![keys.meta(), keys.records(), keys.lanes(), keys.queues()],
        args,
    };
    let mut confirmed = Members::default();
    confirmed.push("confirmed", None);
    writer.valued("set", META, &confirmed, &[b"1"]);
    Call {
        keys: writer.names,
        args: writer.args,
        lanes: Vec::new(),
        owners: Vec::new(),
    }
}

fn write_records(rows: &[Row<'_>], writer: &mut Writer) {
    const RECORDS: usize = 2;
    let mut set = [Values::default(), Values::default()];
    let mut removed = [Members::default(), Members::default()];
    for (at, row) in rows.iter().enumerate() {
        let written = row.written;
        let (later, number) = (usize::from(written.is_later), Some(at + 1));
        match row.change.after {
            Some(_) => set[later].push(written, number),
            None => removed[later].push(&written.field, number),
        }
    }
    for (what, members) in ["remove", "remove both"].into_iter().zip(&removed) {
        writer.instruction(what, RECORDS, b"", members);
    }
    for (what, Values { members, values }) in ["set", "set later"].into_iter().zip(&set) {
        writer.valued(what, RECORDS, members, values);
    }
}

/// Fields, each with its value.
#[derive(Default)]
struct Values<'a> {
    members: Members<&'a Vec<u8>>,
    values: Vec<&'a [u8]>,
}

impl<'a> Values<'a> {
    fn push(&mut self, written: &'a Written, number: Option<usize>) {
        self.members.push(&written.field, number);
        self.values.push(written.value());
    }
}
