//! The default: one machine, no server. Records are in one file; every commit is synced to
//! the disk before it is acknowledged. Indexes are in memory and rebuilt when the file is
//! opened.
//!
//! # Damage
//! What was stored is read as it was stored, or not at all:
//! - Each record has a checksum over its key, its version and its contents. It is verified
//!   whenever the record is read from the file, and for all records when the file is opened.
//! - `redb` has a checksum of each of its pages. All are verified when the file is opened: so
//!   nothing is missing, and nothing older stands in the place of what was written last.
//! - While the file is open, each 4 KiB that are read from it are compared with what was
//!   written there, or was there when it was opened. So a failing disk, and a program that
//!   writes to the file meanwhile, are noticed by the first read that meets what they did.
//!
//! All end in [`OpenError::Damaged`] or [`StoreError::Damaged`](russet_engine::StoreError).
//! After the last one the file is opened again, with all checks, before anything else is read.
//!
//! # What a crash may cost
//! Nothing that was acknowledged, as long as the disk keeps what it has synced. A commit writes
//! beside the one before, names itself the newest, and is synced once. If the process or the
//! power ends before that, what is on the disk may be a part of it. Then the checksums tell, and
//! the commit before is the newest again: nobody was told about the later one.
//!
//! A disk that loses or alters, after a crash and before the file is opened again, what the
//! last commit alone had written looks just the same. So the last commit before a crash, and
//! none but that, can be lost to such a disk although it was acknowledged. It is lost as a
//! whole, and a warning in the log says that the newest commit was undone, unless the header
//! of the file itself is what was damaged. Two syncs for each commit (`redb` calls that
//! two-phase commit) would turn this case into [`OpenError::Damaged`]; small commits would be
//! half as fast. A file that was closed, or opened once after the crash, does not have it.

mod disk;
mod error;
mod export;
mod fullness;
mod hot;
mod judge;
mod medium;
mod open;
mod queue;
mod request;
mod shared;
mod store;
mod watched;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use redb::StorageBackend;
use russet_engine::Clock;
use tokio::sync::mpsc;

pub use self::error::OpenError;
pub use self::export::Exported;
use self::medium::Medium;
use self::request::Request;
use self::shared::Shared;
use crate::limits::{PAGE_CACHE_BYTES, WAITING_COMMITS};

/// How to open an [`Embedded`] store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How many partitions the store has. It is fixed when the store is made: `None` makes
    /// one partition, and takes a store that is there as it is.
    pub partitions: Option<u16>,
    /// Memory for pages of the file.
    pub cache_bytes: usize,
    /// Who writes.
    pub writer: Writer,
}

/// Who writes to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// A thread, which merges the commits that wait for it.
    Thread,
    /// Whoever commits, one after another: for simulators, which have no threads.
    Caller,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            partitions: None,
            cache_bytes: PAGE_CACHE_BYTES,
            writer: match cfg!(madsim) {
                true => Writer::Caller,
                false => Writer::Thread,
            },
        }
    }
}

/// A store in one file that is its own queue. Dropping the last handle waits until the writer
/// is done and closes the file.
pub struct Embedded {
    shared: Arc<Shared>,
    writer: Option<WriterThread>,
}

struct WriterThread {
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
}

impl Embedded {
    /// Opens the store in the data directory `path`, and makes both when they are not there.
    /// Visibility and waiting go by `clock`. This blocks for as long as it takes to read all
    /// records, about a second for each few hundred thousand.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(
        path: &Path,
        options: EmbeddedOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let medium = Medium::directory(path).map_err(|source| OpenError::Io {
            directory: path.to_owned(),
            source,
        })?;
        Self::on(medium, options, clock)
    }

    /// How much room its disk has, in bytes; `None` when that is not known.
    pub fn free_bytes(&self) -> Option<u64> {
        self.shared.disk.medium().free_bytes()
    }

    /// Opens the store that is kept in what `backend` opens: at the start, and again whenever
    /// reading or writing failed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_backend<B: StorageBackend>(
        backend: impl Fn() -> io::Result<B> + Send + Sync + 'static,
        options: EmbeddedOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let open = move || Ok(Box::new(backend()?) as Box<dyn StorageBackend>);
        Self::on(Medium::custom(Box::new(open)), options, clock)
    }

    fn on(
        medium: Medium,
        options: EmbeddedOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let shared = Arc::new(open::open(medium, options, clock)?);
        let writer = match options.writer {
            Writer::Caller => None,
            Writer::Thread => Some(WriterThread::start(shared.clone())?),
        };
        Ok(Arc::new(Self { shared, writer }))
    }
}

impl WriterThread {
    fn start(shared: Arc<Shared>) -> Result<Self, OpenError> {
        let (requests, waiting) = mpsc::channel(WAITING_COMMITS);
        let directory = shared.name().to_owned();
        let thread = std::thread::Builder::new().name("russet-store".into());
        let thread = thread
            .spawn(move || writer::run(&shared, waiting))
            .map_err(|source| OpenError::Io { directory, source })?;
        Ok(Self { requests, thread })
    }
}

impl Drop for Embedded {
    /// Waits until the writer is done and the file is closed, so that it can be opened again.
    fn drop(&mut self) {
        if let Some(WriterThread { requests, thread }) = self.writer.take() {
            drop(requests);
            if thread.join().is_err() {
                tracing::error!("the writer of the embedded store panicked");
            }
        }
    }
}
