//! The data directory: one process works on it, on one workflow.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::identity::Identity;
use super::{RunError, limits};

const LOCK: &str = "run.lock";
const STORE: &str = "store";
const LOGS: &str = "logs";
/// What the name of a data directory ends with unless the user chooses another.
const SUFFIX: &str = ".russet-data";

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
    /// is just ending.
    ///
    /// # Errors
    /// It is in use, it belongs to something else, or it cannot be made.
    pub fn lock(path: &Path) -> Result<Self, RunError> {
        let unusable = |why| RunError::Directory {
            dir: path.to_owned(),
            why,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        refuse_foreign(path)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(path.join(LOCK)).map_err(unusable)?;
        let start = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < limits::LOCK_WAIT => {
                    std::thread::sleep(limits::LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(RunError::Locked {
                        dir: path.to_owned(),
                        holder: holder(&lock),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
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

    /// The workflow that the directory belongs to; `None` when no run has begun in it. What is
    /// in it then is left from one that was killed before, and is to be cleared.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>, RunError> {
        Identity::read(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.damaged(error),
            _ => RunError::path("read", &self.path)(error),
        })
    }

    /// Forgets what was done: first whose it was, so that nothing that is left of it counts.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> Result<(), RunError> {
        let forget = Identity::remove(&self.path);
        forget.map_err(RunError::path("write to", &self.path))?;
        for part in [self.store(), self.logs()] {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(RunError::path("remove", &part)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The error that says what is wrong with the directory.
    pub fn damaged(&self, why: impl ToString) -> RunError {
        RunError::Damaged {
            dir: self.path.clone(),
            why: why.to_string(),
        }
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

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use russet_core::WorkflowId;

    use super::*;

    #[test]
    fn a_directory_is_named_after_the_file() {
        let path = Directory::default_path(Path::new("a/b/report.v2.yaml"));
        assert_eq!(path, Path::new("report.v2.russet-data"));
    }

    #[test]
    fn an_identity_is_kept_and_clearing_removes_what_was_done() {
        let dir = tempfile::tempdir().expect("a directory");
        let directory = Directory::lock(&dir.path().join("new")).expect("locks");
        assert_eq!(directory.identity().expect("reads"), None);
        let id = WorkflowId::from_u128(7 << 80);
        let identity = Identity::new(id, "w", Path::new("w.yaml"), "f".into(), true);
        identity.write(directory.path()).expect("writes");
        fs::create_dir(directory.store()).expect("makes");
        assert_eq!(directory.identity().expect("reads"), Some(identity));
        directory.clear().expect("clears");
        assert!(!directory.store().exists());
        assert_eq!(directory.identity().expect("reads"), None);
        drop(directory);
        Directory::lock(&dir.path().join("new")).expect("is still ours");
    }

    #[test]
    fn what_belongs_to_something_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join(STORE)).expect("makes");
        let refused = Directory::lock(dir.path()).expect_err("is refused");
        assert!(refused.to_string().contains("it holds store"), "{refused}");
        let entries = fs::read_dir(dir.path()).expect("reads").count();
        assert_eq!(entries, 1, "nothing was added");
    }

    #[test]
    fn an_identity_that_cannot_be_read_is_damage() {
        let dir = tempfile::tempdir().expect("a directory");
        let directory = Directory::lock(dir.path()).expect("locks");
        fs::write(dir.path().join("run.json"), "{").expect("writes");
        let text = directory.identity().expect_err("is damaged").to_string();
        assert!(
            text.contains("is damaged: run.json cannot be read"),
            "{text}"
        );
        directory.clear().expect("can be cleared");
    }
}
