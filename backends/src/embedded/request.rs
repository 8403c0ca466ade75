use std::ops::Range;

use russet_core::{PartitionId, Record, RecordKey};
use russet_engine::{Change, Outcome, StoreError, Transaction, Version, Versioned};
use tokio::sync::oneshot;

use crate::key;
use crate::limits::{EMBEDDED_RECORD_BYTES, EMBEDDED_TRANSACTION_CHANGES};
use crate::value;

/// What a commit is answered with.
pub(crate) type Written = Result<Vec<Outcome>, StoreError>;

/// Transactions that wait for the writer.
pub(crate) struct Request {
    pub(crate) partition: PartitionId,
    pub(crate) transactions: Vec<Prepared>,
    /// The keys and values of all changes, as they stand in the file.
    bytes: Vec<u8>,
    reply: Option<oneshot::Sender<Written>>,
}

/// A transaction, encoded.
pub(crate) struct Prepared {
    pub(crate) version: Version,
    pub(crate) changes: Vec<PreparedChange>,
    /// It makes a task, for which there must be more room than for what becomes of one.
    pub(crate) makes_task: bool,
    /// How much of the request's bytes it has.
    bytes: usize,
}

/// A change, encoded.
pub(crate) struct PreparedChange {
    pub(crate) key: RecordKey,
    pub(crate) before: Option<Versioned>,
    pub(crate) after: Option<Record>,
    /// The key, in the bytes of the request.
    place: Range<usize>,
    /// Version, checksum and record, in the bytes of the request.
    value: Range<usize>,
}

impl Request {
    /// Encodes transactions; refuses what is too large for the file.
    pub(crate) fn new(
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<(Self, oneshot::Receiver<Written>), StoreError> {
        let (reply, written) = oneshot::channel();
        let mut request = Self {
            partition,
            transactions: Vec::with_capacity(batch.len()),
            bytes: Vec::new(),
            reply: Some(reply),
        };
        for transaction in batch {
            let prepared = request.prepare(transaction)?;
            request.transactions.push(prepared);
        }
        Ok((request, written))
    }

    fn prepare(&mut self, transaction: Transaction) -> Result<Prepared, StoreError> {
        let count = transaction.changes.len();
        if count > EMBEDDED_TRANSACTION_CHANGES {
            let why = format!("{count} changes at once, at most {EMBEDDED_TRANSACTION_CHANGES}");
            return Err(StoreError::TooLarge { why });
        }
        let version = transaction.version;
        let makes_task = transaction.changes.iter().any(is_new_task);
        let before = self.bytes.len();
        let changes = transaction.changes.into_iter();
        Ok(Prepared {
            version,
            changes: changes
                .map(|change| self.prepare_change(change, version))
                .collect::<Result<_, _>>()?,
            makes_task,
            bytes: self.bytes.len() - before,
        })
    }

    fn prepare_change(
        &mut self,
        change: Change,
        version: Version,
    ) -> Result<PreparedChange, StoreError> {
        let start = self.bytes.len();
        key::write(self.partition, &change.key, &mut self.bytes);
        let middle = self.bytes.len();
        if let Some(record) = &change.after {
            let bytes = std::mem::take(&mut self.bytes);
            self.bytes = value::append(start, version, record, bytes);
            let bytes = self.bytes.len() - middle - value::HEAD;
            if bytes > EMBEDDED_RECORD_BYTES {
                let why = format!("a record has {bytes} bytes, at most {EMBEDDED_RECORD_BYTES}");
                return Err(StoreError::TooLarge { why });
            }
        }
        Ok(PreparedChange {
            key: change.key,
            before: change.before,
            after: change.after,
            place: start..middle,
            value: middle..self.bytes.len(),
        })
    }

    /// How much is to be written.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many of its transactions make tasks, and how much these write.
    pub(crate) fn new_tasks(&self) -> (usize, usize) {
        let new = self.transactions.iter().filter(|made| made.makes_task);
        new.fold((0, 0), |(count, bytes), made| {
            (count + 1, bytes + made.bytes)
        })
    }

    /// The key of a change, as it stands in the file.
    pub(crate) fn place(&self, change: &PreparedChange) -> &[u8] {
        &self.bytes[change.place.clone()]
    }

    /// Version, checksum and record of a change, as they stand in the file.
    pub(crate) fn value(&self, change: &PreparedChange) -> &[u8] {
        &self.bytes[change.value.clone()]
    }

    pub(crate) fn take_reply(&mut self) -> Option<oneshot::Sender<Written>> {
        self.reply.take()
    }
}

fn is_new_task(change: &Change) -> bool {
    matches!(change.key, RecordKey::Task(_)) && change.before.is_none() && change.after.is_some()
}

impl PreparedChange {
    pub(crate) fn version_before(&self) -> Option<Version> {
        self.before.as_ref().map(|known| known.version)
    }
}
