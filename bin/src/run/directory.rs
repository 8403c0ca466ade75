//! The data directory: one process works on it, on one workflow.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::identity::Identity;
use super::{RunError, limits};

const LOCK: &str = "run.lock";
const STORE: &str = "store";
/// What the store keeps its records in.
const RECORDS: &str = "russet.redb";
/// Is there while what was done is being forgotten.
const FORGET: &str = "run.forget";
const LOGS: &str = "logs";
/// What the name of a data directory ends with unless the user chooses another.
const SUFFIX: &str = ".russet-data";

/// Whether a directory is that of a `russet run`.
pub fn is_of_a_run(path: &Path) -> bool {
    path.join(LOCK).exists()
}

/// A locked data directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Directory {
    /// The directory that belongs to a workflow file when none is named: beside the current
    /// directory's other content, after the file's stem.
    pub fn default_path(file: &Path) -> PathBuf {
        let mut name = file.file_stem().unwrap_or_default().to_owned();
        name.push(SUFFIX);
        name.into()
    }

    /// Makes the directory if it is missing, and locks it. Waits a little for a session that
    /// is just ending, and tells so by `waits`, which gets that session's process.
    ///
    /// # Errors
    /// It is in use, it belongs to something else, or it cannot be made.
    pub fn lock(path: &Path, waits: impl FnOnce(Option<u32>)) -> Result<Self, RunError> {
        let unusable = |why| RunError::Directory {
            dir: path.to_owned(),
            why,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        refuse_foreign(path)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(path.join(LOCK)).map_err(unusable)?;
        if !wait_for(&lock, waits).map_err(unusable)? {
            return Err(RunError::Locked {
                dir: path.to_owned(),
                holder: holder(&lock),
            });
        }
        // Only for the message that others get.
        let _ = sign(&mut lock);
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the records are.
    pub fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Where the output of commands goes.
    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS)
    }

    /// The lock once more: the directory stays locked until this is closed, too.
    ///
    /// # Errors
    /// What the system says.
    pub fn share_lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    /// The workflow that the directory belongs to; `None` when no run has begun in it.
    ///
    /// # Errors
    /// It cannot be read, or its records are gone.
    pub fn identity(&self) -> Result<Option<Identity>, RunError> {
        if self.path.join(FORGET).exists() {
            return Ok(None);
        }
        let identity = Identity::read(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.damaged(error),
            _ => RunError::path("read", &self.path)(error),
        })?;
        if identity.is_some() && !self.has_records()? {
            let why = format!("{STORE}/{RECORDS}, which says what was done, is missing or empty");
            return Err(self.damaged(why));
        }
        Ok(identity)
    }

    /// Makes the directory, or keeps it, a workflow's.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(&self, identity: &Identity) -> Result<(), RunError> {
        let written = identity.write(&self.path);
        written.map_err(RunError::path("write to", &self.path))
    }

    /// Whether records are there that may be of tasks; those that are being forgotten are not.
    ///
    /// # Errors
    /// What the system says.
    pub fn has_records(&self) -> Result<bool, RunError> {
        if self.path.join(FORGET).exists() {
            return Ok(false);
        }
        let file = self.store().join(RECORDS);
        match file.metadata() {
            Ok(known) => Ok(known.len() > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(RunError::path("read", &file)(error)),
        }
    }

    /// Forgets what was done. Whoever is killed meanwhile leaves a mark that says so, by which
    /// what is left counts as forgotten and not as damaged.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> Result<(), RunError> {
        let mark = self.path.join(FORGET);
        let parts = [self.store(), self.logs()];
        if Identity::is_absent(&self.path)
            && !mark.exists()
            && !parts.iter().any(|part| part.exists())
        {
            return Ok(());
        }
        let marked = File::create(&mark).and_then(|_| self.sync());
        marked.map_err(RunError::path("write to", &self.path))?;
        let forget = Identity::remove(&self.path);
        forget.map_err(RunError::path("write to", &self.path))?;
        for part in parts {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(RunError::path("remove", &part)(error));
                }
                _ => {}
            }
        }
        let unmarked = fs::remove_file(&mark).and_then(|()| self.sync());
        unmarked.map_err(RunError::path("write to", &self.path))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// The error that says what is wrong with the directory.
    pub fn damaged(&self, why: impl ToString) -> RunError {
        RunError::Damaged {
            dir: self.path.clone(),
            why: why.to_string(),
        }
    }
}

impl Drop for Directory {
    /// Who holds the lock next is not taken for this process.
    fn drop(&mut self) {
        // Only for a message.
        let _ = self.lock.set_len(0);
    }
}

/// A directory that was never locked must be empty.
fn refuse_foreign(path: &Path) -> Result<(), RunError> {
    let entries = fs::read_dir(path).map_err(RunError::path("read", path))?;
    let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let names = names.map_err(RunError::path("read", path))?;
    let mut names = names.iter().map(|name| name.to_string_lossy());
    if names.clone().any(|name| name == LOCK) {
        return Ok(());
    }
    names.next().map_or(Ok(()), |entry| {
        Err(RunError::Foreign {
            dir: path.to_owned(),
            entry: entry.into_owned(),
        })
    })
}

/// Takes the lock, if it becomes free in time; whether it did.
fn wait_for(lock: &File, waits: impl FnOnce(Option<u32>)) -> io::Result<bool> {
    let start = Instant::now();
    let mut waits = Some(waits);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= limits::LOCK_WAIT => {
                return Ok(false);
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(waits) = waits.take() {
            waits(holder(lock));
        }
        std::thread::sleep(limits::LOCK_PAUSE);
    }
}

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(mut lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests;
