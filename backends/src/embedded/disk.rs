use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, TryLockError};

use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, Table,
    TableDefinition,
};
use russet_core::codec;
use russet_engine::{Version, Versioned};

use super::error::DiskError;
use super::medium::Medium;
use crate::limits::FREE_BYTES;

/// Version, then record, by key (see [`super::key`]).
pub(crate) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

pub(crate) type Reader = ReadOnlyTable<&'static [u8], &'static [u8]>;
pub(crate) type Writer<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// The database. After an error it has to be opened again, since `redb` refuses to go on.
pub(crate) struct Disk {
    medium: Medium,
    cache_bytes: usize,
    database: RwLock<Option<Database>>,
    broken: AtomicBool,
    /// The last commit found no room.
    full: AtomicBool,
}

/// Why a write failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// Nothing was changed.
    Refused(DiskError),
    /// The commit itself failed: it may be there or not.
    Unknown(DiskError),
}

impl Disk {
    pub(crate) fn open(medium: Medium, cache_bytes: usize) -> Result<Self, DatabaseError> {
        let database = open(&medium, cache_bytes, true)?;
        Ok(Self {
            medium,
            cache_bytes,
            database: RwLock::new(Some(database)),
            broken: AtomicBool::new(false),
            full: AtomicBool::new(false),
        })
    }

    pub(crate) fn medium(&self) -> &Medium {
        &self.medium
    }

    /// Whether it must be opened again before anything else.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(crate) fn mark_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Closes the database and opens it again.
    pub(crate) fn reopen(&self) -> Result<(), DiskError> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        guarded(|| {
            drop(database.take());
            self.medium.forget_cached();
            let opened = open(&self.medium, self.cache_bytes, false).map_err(redb::Error::from)?;
            *database = Some(opened);
            Ok(())
        })?;
        self.broken.store(false, Ordering::Release);
        Ok(())
    }

    /// Works on the database, and never waits for one that is being opened again.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let database = match self.database.try_read() {
            Ok(database) => database,
            Err(TryLockError::Poisoned(database)) => database.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(DiskError::Busy),
        };
        let result = guarded(|| match database.as_ref() {
            Some(database) => work(database),
            None => Err(DiskError::Failed("the data file is closed".into())),
        });
        if result.as_ref().is_err_and(DiskError::breaks) {
            self.mark_broken();
        }
        result
    }

    /// Reads the newest committed state.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        self.with(|database| read(&database.begin_read()?.open_table(RECORDS)?))
    }

    /// Commits what `write` writes, if it says that it wrote something, and syncs it. Once the
    /// disk was full, nothing is tried until it has room for `bytes` and some more: each try
    /// would end with opening the database again, which may take long.
    pub(crate) fn write(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<bool, DiskError>,
    ) -> Result<(), WriteError> {
        if self.full.load(Ordering::Acquire) {
            self.check_room(bytes).map_err(WriteError::Refused)?;
        }
        let mut committing = false;
        let result = self.with(|database| {
            let transaction = database.begin_write()?;
            let changed = write(&mut transaction.open_table(RECORDS)?)?;
            if !changed {
                return Ok(transaction.abort()?);
            }
            committing = true;
            Ok(transaction.commit()?)
        });
        let full = matches!(result, Err(DiskError::Full(_)));
        self.full.store(full, Ordering::Release);
        result.map_err(|error| match committing {
            true => WriteError::Unknown(error),
            false => WriteError::Refused(error),
        })
    }

    fn check_room(&self, bytes: usize) -> Result<(), DiskError> {
        let needed = FREE_BYTES.saturating_add(bytes as u64);
        match self.medium.free_bytes() {
            Some(free) if free < needed => Err(DiskError::Full(format!(
                "the disk of {:?} has {free} bytes left, and {needed} are needed",
                self.medium.name
            ))),
            _ => Ok(()),
        }
    }
}

/// With `check`, every page is compared with its checksum. After a crash that is so anyway.
fn open(medium: &Medium, cache_bytes: usize, check: bool) -> Result<Database, DatabaseError> {
    let backend = medium.open()?;
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder.set_check_integrity_on_open(check);
    builder.create_with_backend(backend)
}

/// `redb` panics on some files that were damaged while they were closed.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, DiskError>) -> Result<T, DiskError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let why = format!("redb panicked: {}", text.unwrap_or("without a message"));
        Err(DiskError::Damaged(why))
    })
}

/// The version of a record, without decoding it.
pub(crate) fn load_version(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Version>, DiskError> {
    match table.get(key)? {
        Some(value) => split(key, value.value()).map(|(version, _)| Some(version)),
        None => Ok(None),
    }
}

/// A record with its version.
pub(crate) fn load(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Versioned>, DiskError> {
    match table.get(key)? {
        Some(value) => decode(key, value.value()).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Versioned, DiskError> {
    let (version, record) = split(key, value)?;
    match codec::read(record) {
        Ok(record) => Ok(Versioned { version, record }),
        Err(error) => Err(DiskError::Unreadable(format!("record {key:02x?}: {error}"))),
    }
}

fn split<'a>(key: &[u8], value: &'a [u8]) -> Result<(Version, &'a [u8]), DiskError> {
    match value.split_first_chunk() {
        Some((version, record)) => Ok((Version(u64::from_be_bytes(*version)), record)),
        None => Err(DiskError::Unreadable(format!(
            "record {key:02x?} has {} bytes",
            value.len()
        ))),
    }
}
