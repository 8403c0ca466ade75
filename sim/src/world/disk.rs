//! A disk that keeps what was synced, and of the rest what chance leaves: whole writes in any
//! order, and sectors torn out of them.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use tokio::sync::Notify;

use crate::plan::Random;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// A disk. Clones are the same one.
#[derive(Clone)]
pub struct Disk {
    platter: Arc<Mutex<Platter>>,
}

struct Platter {
    /// What a power failure leaves for certain.
    synced: Vec<u8>,
    /// What the operating system shows.
    seen: Vec<u8>,
    /// What was done since the last sync, in order.
    pending: Vec<Pending>,
    /// Grows with each failure and each crash: who opened the disk before cannot use it.
    generation: u64,
    /// The power fails when so many more operations were done.
    fails_after: Option<u64>,
    /// The power has failed, and the disk was not opened since.
    dark: bool,
    failed: Arc<Notify>,
    random: Random,
}

enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Disk {
    /// An empty disk.
    pub fn new(random: Random) -> Self {
        Self {
            platter: Arc::new(Mutex::new(Platter {
                synced: Vec::new(),
                seen: Vec::new(),
                pending: Vec::new(),
                generation: 0,
                fails_after: None,
                dark: false,
                failed: Arc::default(),
                random,
            })),
        }
    }

    /// What opens the disk until it fails or is abandoned, as often as a process likes.
    pub fn boot(&self) -> impl Fn() -> io::Result<Handle> + Send + Sync + 'static {
        let mut platter = self.lock();
        platter.dark = false;
        let (disk, generation) = (self.clone(), platter.generation);
        move || {
            let disk = disk.clone();
            match disk.lock().generation == generation {
                true => {}
                false => return Err(gone()),
            }
            Ok(Handle { disk, generation })
        }
    }

    /// Waits until the power has failed.
    pub async fn failed(&self) {
        let failed = self.lock().failed.clone();
        failed.notified().await;
    }

    /// Lets the power fail when `operations` more writes and syncs were done.
    pub fn fail_after(&self, operations: u64) {
        self.lock().fails_after = Some(operations);
    }

    /// Takes back what [`Self::fail_after`] asked for, if it has not happened.
    pub fn stay(&self) {
        self.lock().fails_after = None;
    }

    /// Whether the power has failed and nobody was told yet.
    pub fn has_failed(&self) -> bool {
        self.lock().dark
    }

    /// The process that used it was killed: what it wrote is there, synced or not.
    pub fn abandon(&self) {
        let mut platter = self.lock();
        platter.sync();
        platter.generation += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Platter {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Pending::Length(len) => self.synced.resize(len, 0),
                Pending::Write(offset, bytes) => write_at(&mut self.synced, offset, &bytes),
            }
        }
    }

    fn fail(&mut self) {
        self.generation += 1;
        self.fails_after = None;
        self.dark = true;
        self.failed.notify_one();
        for change in std::mem::take(&mut self.pending) {
            if self.random.percent(50) {
                self.keep(change);
            }
        }
        self.seen.clone_from(&self.synced);
    }

    /// Keeps a change that was not synced, or a part of it.
    fn keep(&mut self, change: Pending) {
        match change {
            Pending::Length(len) => self.synced.resize(len, 0),
            Pending::Write(offset, bytes) => {
                let torn = self.random.percent(30);
                for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                    if !torn || self.random.percent(50) {
                        write_at(&mut self.synced, offset + n * SECTOR, sector);
                    }
                }
            }
        }
    }

    /// Counts an operation, which may be the one during which the power fails.
    fn count(&mut self) -> io::Result<()> {
        match self.fails_after.as_mut() {
            Some(0) => {
                self.fail();
                Err(gone())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

fn gone() -> io::Error {
    io::Error::other("the disk is gone")
}

/// A disk that was opened.
pub struct Handle {
    disk: Disk,
    generation: u64,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.generation)
    }
}

impl Handle {
    fn platter(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.disk.lock();
        match platter.generation == self.generation {
            true => Ok(platter),
            false => Err(gone()),
        }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter()?.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter()?;
        let offset = offset as usize;
        match platter.seen.get(offset..offset + out.len()) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.platter()?;
        platter.count()?;
        platter.seen.resize(len as usize, 0);
        platter.pending.push(Pending::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter()?;
        platter.count()?;
        platter.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter()?;
        platter.count()?;
        write_at(&mut platter.seen, offset as usize, data);
        let write = Pending::Write(offset as usize, data.to_vec());
        platter.pending.push(write);
        Ok(())
    }
}
