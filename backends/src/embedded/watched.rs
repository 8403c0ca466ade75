//! Notices bytes that change behind the back of whoever wrote them.

use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What one checksum is of; the pages of `redb` are as large, or a multiple of it.
const BLOCK: usize = 4096;
/// Nothing is known of a block.
const UNKNOWN: u32 = 0;

/// A storage backend whose blocks are the same as long as it is open: each must read as it was
/// written, or as it was first read. It remembers 4 bytes for each block. What it does not
/// tell is whether a file that was closed is still the same: `redb` compares all pages with
/// their checksums when it opens it.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Box<dyn StorageBackend>,
    /// Checksums by the number of the block.
    known: Mutex<Vec<u32>>,
}

impl Watched {
    pub(crate) fn new(inner: Box<dyn StorageBackend>) -> Self {
        Self {
            inner,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all blocks of which a part is among these bytes.
    fn forget(&self, offset: u64, length: usize) {
        let mut known = self.known();
        let end = (offset as usize + length).div_ceil(BLOCK).min(known.len());
        let start = (offset as usize / BLOCK).min(end);
        known[start..end].fill(UNKNOWN);
    }

    fn remember(&self, checksums: Vec<(usize, u32)>) {
        let mut known = self.known();
        for (block, checksum) in checksums {
            put(&mut known, block, checksum);
        }
    }

    /// Compares blocks with what is known of them; remembers those of which nothing is known.
    fn compare(&self, checksums: Vec<(usize, u32)>) -> io::Result<()> {
        let mut known = self.known();
        for (block, checksum) in checksums {
            match known.get(block).copied().unwrap_or(UNKNOWN) {
                UNKNOWN => put(&mut known, block, checksum),
                before if before == checksum => {}
                _ => return Err(altered_at(block)),
            }
        }
        Ok(())
    }
}

fn put(known: &mut Vec<u32>, block: usize, checksum: u32) {
    if block >= known.len() {
        known.resize(block + 1, UNKNOWN);
    }
    known[block] = checksum;
}

fn altered_at(block: usize) -> io::Error {
    let why = format!(
        "the {BLOCK} bytes at {} of the data file are not what was written there",
        block * BLOCK
    );
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The checksums of all blocks that are in these bytes as a whole, with their numbers.
fn checksums(offset: u64, bytes: &[u8]) -> Vec<(usize, u32)> {
    let first = (offset as usize).div_ceil(BLOCK);
    let whole = bytes.get(first * BLOCK - offset as usize..);
    let blocks = whole.unwrap_or_default().chunks_exact(BLOCK);
    (first..).zip(blocks.map(crc32fast::hash)).collect()
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)?;
        self.compare(checksums(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.known().truncate(len as usize / BLOCK);
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.forget(offset, data.len());
        self.inner.write(offset, data)?;
        self.remember(checksums(offset, data));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A backend of four blocks.
    fn watched() -> Watched {
        let watched = Watched::new(Box::new(InMemoryBackend::new()));
        watched.set_len(4 * BLOCK as u64).expect("it grows");
        watched
    }

    fn read(watched: &Watched, block: u64, blocks: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; blocks * BLOCK];
        watched.read(block * BLOCK as u64, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_was_written_reads_back_in_whatever_parts() {
        let watched = watched();
        let bytes: Vec<u8> = (0..2 * BLOCK).map(|n| (n % 251) as u8).collect();
        watched.write(BLOCK as u64, &bytes).expect("it writes");
        assert_eq!(read(&watched, 1, 2).expect("it reads"), bytes);
        assert_eq!(read(&watched, 2, 1).expect("it reads"), bytes[BLOCK..]);
        watched
            .write(BLOCK as u64 + 7, &[1; BLOCK])
            .expect("it writes");
        read(&watched, 1, 2).expect("it reads");
        watched.set_len(2 * BLOCK as u64).expect("it shrinks");
        watched.set_len(4 * BLOCK as u64).expect("it grows");
        assert_eq!(read(&watched, 2, 1).expect("it reads"), [0; BLOCK]);
    }

    #[test]
    fn what_changes_after_it_was_written_or_read_is_not_read_again() {
        let watched = watched();
        watched.write(0, &[3; BLOCK]).expect("it writes");
        read(&watched, 1, 1).expect("it reads");
        for block in [0, 1] {
            let at = block * BLOCK as u64 + 9;
            watched.inner.write(at, &[4]).expect("it writes");
            let error = read(&watched, block, 1).expect_err("it has changed");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            read(&watched, 0, 4).expect_err("a part has changed");
        }
        watched.write(0, &[5; 2 * BLOCK]).expect("it writes");
        read(&watched, 0, 4).expect("it is written anew");
    }
}
