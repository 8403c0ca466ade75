use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};

use super::watched::Watched;

/// The file in the data directory.
const FILE: &str = "russet.redb";

/// Opens the bytes that the database is kept in, as often as they are needed.
pub(crate) type Open = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// How much room there is, in bytes; `None` when that is not known.
pub(crate) type Free = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// Where the database is kept.
pub(crate) struct Medium {
    /// What messages call it.
    pub(crate) name: PathBuf,
    file: Option<PathBuf>,
    open: Open,
    pub(crate) free: Free,
}

impl Medium {
    /// The file in the data directory, which is made when it is not there.
    pub(crate) fn directory(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let file = directory.join(FILE);
        make(&file)?;
        let path = file.clone();
        let open = move || {
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).open(&path)?;
            let backend = FileBackend::new(file).map_err(io::Error::other)?;
            Ok(Box::new(backend) as Box<dyn StorageBackend>)
        };
        let path = file.clone();
        Ok(Self {
            name: directory.to_owned(),
            file: Some(file),
            open: Box::new(open),
            free: Box::new(move || free_bytes(&path)),
        })
    }

    pub(crate) fn custom(open: Open) -> Self {
        Self {
            name: PathBuf::from("a custom storage backend"),
            file: None,
            open,
            free: Box::new(|| None),
        }
    }

    pub(crate) fn open(&self) -> io::Result<Watched> {
        (self.open)().map(Watched::new)
    }

    /// Makes sure that a new file is found after a power failure: its name, and the name of
    /// its directory, are contents of the directories above.
    pub(crate) fn sync_names(&self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let directories = file.ancestors().skip(1).take(2);
        for directory in directories.filter(|path| !path.as_os_str().is_empty()) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    /// After a failed sync the operating system may show what never reached the disk. Makes
    /// it forget what it keeps of the file in memory, so that it reads the disk again.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget_cached(&self) {
        use rustix::fs::{Advice, fadvise};
        let file = self.file.as_ref().map(File::open);
        if let Some(Ok(file)) = file
            && let Err(error) = fadvise(&file, 0, None, Advice::DontNeed)
        {
            tracing::warn!(%error, "cached pages of the data file could not be dropped");
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn forget_cached(&self) {}

    /// How much room the disk has; `None` when that is not known.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        (self.free)()
    }
}

#[cfg(target_os = "linux")]
fn free_bytes(file: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(file).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (disk.f_blocks > 0).then_some(free)
}

#[cfg(not(target_os = "linux"))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Makes an empty database when there is none. It gets its name when it is complete, so that
/// whoever is killed while making one leaves nothing that looks damaged.
fn make(file: &Path) -> io::Result<()> {
    if file.exists() {
        return Ok(());
    }
    let draft = file.with_extension(format!("new-{}", std::process::id()));
    let made = Database::create(&draft).map_err(io::Error::other)?;
    drop(made);
    match fs::hard_link(&draft, file) {
        Ok(()) => fs::remove_file(&draft),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&draft),
        // A file system without hard links.
        Err(_) => fs::rename(&draft, file),
    }
}
