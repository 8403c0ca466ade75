//! Reading everything, and giving the file up to another store.

use redb::{
    Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError,
    WriteTransaction,
};
use russet_core::{PartitionId, Record, RecordKey};
use russet_engine::StoreError;

use super::Embedded;
use super::disk;
use super::error::DiskError;
use crate::key;

/// Where the records went, when they went elsewhere.
const MOVED: TableDefinition<'_, &str, &str> = TableDefinition::new("moved");
const TO: &str = "to";
/// Where a copy of them was begun; gone as soon as one of them has changed.
const BEGUN: &str = "begun";

/// A record, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its partition.
    pub partition: PartitionId,
    /// Its key.
    pub key: RecordKey,
    /// The record.
    pub record: Record,
}

impl Embedded {
    /// How many records there are.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    pub fn records(&self) -> Result<u64, StoreError> {
        Ok(self.shared.disk.read(|table| Ok(table.len()?))?)
    }

    /// Records in the order of the file, behind `after`: at most `limit` of them, and not many
    /// more bytes than `bytes`. This blocks.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    pub fn export(
        &self,
        after: Option<&Exported>,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Exported>, StoreError> {
        let after = after.map(|last| key::place(last.partition, &last.key));
        let after = after.unwrap_or_default();
        let page = self.shared.disk.read(|table| {
            let (mut page, mut size) = (Vec::new(), 0);
            for entry in table.range(after.as_slice()..)? {
                let (place, value) = entry?;
                if place.value() == after.as_slice() {
                    continue;
                }
                if page.len() == limit || size >= bytes {
                    break;
                }
                size += value.value().len();
                page.push(exported(place.value(), value.value())?);
            }
            Ok(page)
        });
        Ok(page?)
    }

    /// Whether a copy of the records to `to` was begun, and perhaps cut short, and the records
    /// are what they were then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn is_copied_to(&self, to: &str) -> Result<bool, StoreError> {
        let begun = self.shared.disk.with(copy_begun);
        Ok(begun?.as_deref() == Some(to))
    }

    /// Notes that a copy of the records to `to` begins. The first commit that changes one of them
    /// takes the note back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn begin_copy(&self, to: &str) -> Result<(), StoreError> {
        self.shared.disk.copy_is_begun();
        self.say(BEGUN, to)
    }

    /// Gives the file up: it is not opened again, since its records live on in `to`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; whether it was done is known by opening it again.
    pub fn retire(&self, to: &str) -> Result<(), StoreError> {
        self.say(TO, to)
    }

    fn say(&self, what: &str, to: &str) -> Result<(), StoreError> {
        let said = self.shared.disk.with(|database| {
            let transaction = database.begin_write()?;
            transaction.open_table(MOVED)?.insert(what, to)?;
            Ok(transaction.commit()?)
        });
        Ok(said?)
    }
}

fn exported(place: &[u8], value: &[u8]) -> Result<Exported, DiskError> {
    let Some((partition, key)) = key::read(place) else {
        return Err(DiskError::Damaged(format!("{place:02x?} is not a key")));
    };
    let record = disk::decode(place, value)?.record;
    Ok(Exported {
        partition,
        key,
        record,
    })
}

/// Where a copy of the records was begun, if none has changed since.
pub(crate) fn copy_begun(database: &Database) -> Result<Option<String>, DiskError> {
    said(database, BEGUN)
}

/// Says that the records are not those any more that were copied.
pub(crate) fn end_copy(transaction: &WriteTransaction) -> Result<(), DiskError> {
    transaction.open_table(MOVED)?.remove(BEGUN)?;
    Ok(())
}

/// Where the records went.
pub(crate) fn moved_to(database: &Database) -> Result<Option<String>, DiskError> {
    said(database, TO)
}

fn said(database: &Database, what: &str) -> Result<Option<String>, DiskError> {
    let table = match database.begin_read()?.open_table(MOVED) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(table.get(what)?.map(|to| to.value().to_owned()))
}
