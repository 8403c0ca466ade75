use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, TryLockError};

use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, Table,
    TableDefinition,
};
use russet_core::PartitionId;
use russet_engine::{Version, Versioned};

use super::error::DiskError;
use super::export;
use super::medium::Medium;
use crate::key;
use crate::limits::{FREE_BYTES, TASK_FREE_BYTES};
use crate::value::{self, ValueError};

/// Values (see [`crate::value`]) by key (see [`super::key`]).
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
    went_back: bool,
    /// A copy of the records elsewhere was begun, and none has changed since.
    copy_begun: AtomicBool,
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
        let (database, went_back) = open(&medium, cache_bytes, true)?;
        Ok(Self {
            medium,
            cache_bytes,
            database: RwLock::new(Some(database)),
            broken: AtomicBool::new(false),
            full: AtomicBool::new(false),
            went_back,
            copy_begun: AtomicBool::new(false),
        })
    }

    pub(crate) fn medium(&self) -> &Medium {
        &self.medium
    }

    /// Whether the newest commit was not whole when this was opened, and was undone.
    pub(crate) fn went_back(&self) -> bool {
        self.went_back
    }

    /// A copy of the records was begun: the next change of one ends it.
    pub(crate) fn copy_is_begun(&self) {
        self.copy_begun.store(true, Ordering::Release);
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
            let opened = open(&self.medium, self.cache_bytes, false);
            *database = Some(opened.map_err(redb::Error::from)?.0);
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
            let mut transaction = database.begin_write()?;
            if russet_core::planted!(NotSynced) {
                transaction.set_durability(redb::Durability::None).ok();
            }
            let changed = write(&mut transaction.open_table(RECORDS)?)?;
            if !changed {
                return Ok(transaction.abort()?);
            }
            let ends_copy = self.copy_begun.load(Ordering::Acquire);
            if ends_copy {
                export::end_copy(&transaction)?;
            }
            committing = true;
            transaction.commit()?;
            if ends_copy {
                self.copy_begun.store(false, Ordering::Release);
            }
            Ok(())
        });
        let full = matches!(result, Err(DiskError::Full(_)));
        self.full.store(full, Ordering::Release);
        result.map_err(|error| match committing {
            true => WriteError::Unknown(error),
            false => WriteError::Refused(error),
        })
    }

    /// Whether there is room for new tasks: some is kept for the lives of those that are there.
    pub(crate) fn check_room_for_tasks(&self, bytes: usize) -> Result<(), DiskError> {
        self.check_free(
            TASK_FREE_BYTES.saturating_add(bytes as u64),
            "for new tasks",
        )
    }

    fn check_room(&self, bytes: usize) -> Result<(), DiskError> {
        self.check_free(FREE_BYTES.saturating_add(bytes as u64), "for anything")
    }

    fn check_free(&self, needed: u64, what: &str) -> Result<(), DiskError> {
        match self.medium.free_bytes() {
            Some(free) if free < needed => Err(DiskError::Full(format!(
                "the disk of {:?} has {free} bytes left, and {needed} are needed {what}",
                self.medium.name
            ))),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    /// Closing writes, and so meets damage like everything else that does.
    fn drop(&mut self) {
        let database = self.database.get_mut();
        let database = database.unwrap_or_else(PoisonError::into_inner).take();
        let closed = guarded(|| {
            drop(database);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::error!(%error, "the data file was not closed well");
        }
    }
}

/// How far `redb` says that it is when it found that the newest commit is not whole, and
/// before it looks at the one before.
const GOES_BACK: std::ops::Range<f64> = 0.1..0.5;

/// With `check`, every page is compared with its checksum. After a crash that is so anyway.
/// Whether the newest commit was undone is returned, too.
fn open(
    medium: &Medium,
    cache_bytes: usize,
    check: bool,
) -> Result<(Database, bool), DatabaseError> {
    let backend = medium.open()?;
    let went_back = Arc::new(AtomicBool::new(false));
    let seen = went_back.clone();
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder.set_check_integrity_on_open(check);
    builder.set_repair_callback(move |repair| {
        seen.fetch_or(GOES_BACK.contains(&repair.progress()), Ordering::Relaxed);
    });
    let database = builder.create_with_backend(backend)?;
    Ok((database, went_back.load(Ordering::Relaxed)))
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
    let Some(value) = table.get(key)? else {
        return Ok(None);
    };
    let version = value::version(key, value.value());
    Ok(Some(version.map_err(|why| unreadable(key, why))?))
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

/// Compares a record with its checksum.
pub(crate) fn verify(key: &[u8], value: &[u8]) -> Result<(), DiskError> {
    let version = value::version(key, value);
    version.map(drop).map_err(|why| unreadable(key, why))
}

pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Versioned, DiskError> {
    value::read(key, value).map_err(|why| unreadable(key, why))
}

fn unreadable(key: &[u8], why: ValueError) -> DiskError {
    let record = match key::read(key) {
        Some((PartitionId(partition), key)) => format!("{key:?} of partition {partition}"),
        None => format!("{key:02x?}"),
    };
    DiskError::Unreadable { record, why }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn open_in(directory: &Path) -> Disk {
        let medium = Medium::directory(directory).expect("a directory");
        Disk::open(medium, 1 << 20).expect("it opens")
    }

    fn put(disk: &Disk, text: &str) {
        let written = disk.write(0, |table| {
            table.insert(b"key".as_slice(), text.as_bytes())?;
            Ok(true)
        });
        written.expect("it is written");
    }

    fn has(disk: &Disk, text: &str) -> bool {
        let has = |table: &Reader| {
            let found = table.get(b"key".as_slice())?;
            Ok(found.is_some_and(|found| found.value() == text.as_bytes()))
        };
        disk.read(has).expect("it is read")
    }

    #[test]
    fn that_the_newest_commit_is_damaged_after_a_crash_is_told() {
        let [live, crashed] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let disk = open_in(live.path());
        put(&disk, "the one before");
        put(&disk, "the newest");
        let [from, to] = [&live, &crashed].map(|directory| directory.path().join("russet.redb"));
        let mut bytes = fs::read(from).expect("it is read");
        fs::write(&to, &bytes).expect("it is written");
        let whole = open_in(crashed.path());
        assert!(has(&whole, "the newest") && !whole.went_back());
        drop(whole);
        let newest = bytes.windows(10).position(|part| part == b"the newest");
        bytes[newest.expect("it is there")] ^= 1;
        fs::write(&to, &bytes).expect("it is written");
        let damaged = open_in(crashed.path());
        assert!(has(&damaged, "the one before") && damaged.went_back());
    }
}
