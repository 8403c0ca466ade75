//! A disk in memory that fails when it is told to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::StorageBackend;

/// What is on it stays when it is closed. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// How many bytes fit, when that is limited.
    room: Option<u64>,
    /// Changes until one fails.
    until_failure: Option<u64>,
    /// Everything fails after a failure, until the disk is mended.
    stays_broken: bool,
    broken: bool,
    failures: u64,
    opened: u64,
    synced: u64,
    sync_takes: Duration,
}

impl Disk {
    /// To be called for each opening of the disk.
    pub fn open(&self) -> io::Result<Self> {
        self.state().opened += 1;
        Ok(self.clone())
    }

    pub fn times_opened(&self) -> u64 {
        self.state().opened
    }

    pub fn times_synced(&self) -> u64 {
        self.state().synced
    }

    pub fn failures(&self) -> u64 {
        self.state().failures
    }

    /// Refuses writes beyond this length from now on, as a disk does that is full.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    pub fn size(&self) -> u64 {
        self.state().bytes.len() as u64
    }

    /// Lets the `n`th write, sync or change of length from now fail; and all later ones too
    /// if the disk is to stay broken.
    pub fn fail_at(&self, n: u64, stays_broken: bool) {
        let mut state = self.state();
        state.until_failure = Some(n);
        state.stays_broken = stays_broken;
    }

    /// Lets nothing fail any more.
    pub fn mend(&self) {
        let mut state = self.state();
        state.until_failure = None;
        state.broken = false;
    }

    /// Lets each sync take this long.
    pub fn slow_down(&self, sync_takes: Duration) {
        self.state().sync_takes = sync_takes;
    }

    /// A disk that holds what was synced.
    pub fn after_power_cut(&self) -> Self {
        let durable = self.state().durable.clone();
        Self(Arc::new(Mutex::new(State {
            bytes: durable.clone(),
            durable,
            ..State::default()
        })))
    }

    /// Changes what is on it behind everybody's back.
    pub fn damage(&self, damage: impl FnOnce(&mut Vec<u8>)) {
        damage(&mut self.state().bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.until_failure {
            *left -= 1;
            if *left == 0 {
                self.until_failure = None;
                self.broken = true;
            }
        }
        if !self.broken {
            return Ok(());
        }
        self.broken = self.stays_broken;
        self.failures += 1;
        Err(io::Error::other("the disk fails, as it was told to"))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.size())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        let state = self.state();
        let part = state.bytes.get(start..start + out.len());
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// The length may grow beyond the room, as that of a file with a hole.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let takes = self.state().sync_takes;
        std::thread::sleep(takes);
        let mut state = self.state();
        state.change()?;
        state.synced += 1;
        state.durable = state.bytes.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let (start, end) = (offset as usize, offset as usize + data.len());
        if state.room.is_some_and(|room| end as u64 > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let part = state.bytes.get_mut(start..end);
        part.ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}
