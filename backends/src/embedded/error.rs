use std::io;
use std::path::PathBuf;

use russet_engine::StoreError;

use crate::value::ValueError;

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error(
        "the data directory {directory:?} is in use by another process: stop that process, or \
         give this one a data directory of its own"
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// The operating system refuses it.
    #[error(
        "the data directory {directory:?} cannot be used: {source}; check that it is a \
         directory, that this user may write to it, and that its disk has room"
    )]
    Io {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is there, and not what was once written.
    #[error(
        "the data in {directory:?} is damaged: {why}; restore the directory from a backup, or \
         move it away to start empty"
    )]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file was written by a newer version.
    #[error(
        "the data in {directory:?} was written by a newer version (format {found}, this version \
         reads up to {known}): upgrade russet"
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format that this version reads.
        known: u64,
    },
    /// Its records live on in another store.
    #[error(
        "the data in {directory:?} was moved to {to}: use that, or move the directory away to \
         start empty"
    )]
    Moved {
        /// The directory.
        directory: PathBuf,
        /// Where they are now.
        to: String,
    },
    /// The file was made with another number of partitions.
    #[error(
        "the data in {directory:?} has {found} partitions, and {asked} are asked for: ask for \
         {found}, or move the directory away to start empty"
    )]
    Partitions {
        /// The directory.
        directory: PathBuf,
        /// How many there are.
        found: u64,
        /// How many were asked for.
        asked: u16,
    },
}

/// What went wrong with the file, as far as it makes a difference.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DiskError {
    #[error("{0}")]
    Full(String),
    #[error("{0}")]
    TooLarge(String),
    /// The file as a whole.
    #[error("{0}")]
    Damaged(String),
    #[error("the record {record} cannot be read: {why}")]
    Unreadable { record: String, why: ValueError },
    /// Somebody else opens the database again.
    #[error("the data file is being opened again after an error")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

impl DiskError {
    /// Whether the database has to be opened again before it can be used.
    pub(crate) fn breaks(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Damaged(_) | Self::Failed(_))
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

/// What to do about damage.
const RESTORE: &str = "restore the data directory from a backup";

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Full(why) => Self::Full { why },
            DiskError::TooLarge(why) => Self::TooLarge { why },
            // That it is newer says what to do.
            DiskError::Unreadable {
                why: ValueError::Newer(_),
                ..
            } => Self::Unreadable {
                why: error.to_string(),
            },
            DiskError::Unreadable { .. } => Self::Unreadable {
                why: format!("{error}; {RESTORE}"),
            },
            DiskError::Damaged(_) => Self::Damaged {
                why: format!("{error}; {RESTORE}"),
            },
            DiskError::Failed(why) => Self::Unavailable { why },
            DiskError::Busy => Self::Unavailable {
                why: error.to_string(),
            },
        }
    }
}

impl From<redb::Error> for DiskError {
    fn from(error: redb::Error) -> Self {
        let why = error.to_string();
        match error {
            redb::Error::Io(error) if is_full(&error) => Self::Full(why),
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged(why)
            }
            redb::Error::Corrupted(_) => Self::Damaged(why),
            redb::Error::ValueTooLarge(_) => Self::TooLarge(why),
            _ => Self::Failed(why),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ty),+) => {
        $(impl From<$error> for DiskError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })+
    };
}

through_redb_error!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError
);

/// Whether the disk, the user's quota or the largest file is reached.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
