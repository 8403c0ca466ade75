//! Which store and which queue: chosen separately, in a file.
//!
//! ```toml
//! [store]
//! backend = "embedded"       # or "memory"
//! data_dir = "russet-data"   # embedded: where the file is
//! partitions = 1             # fixed when the store is made
//! cache_mb = 128             # embedded: memory for pages of the file
//!
//! [queue]
//! backend = "store"          # the store is the queue; or "memory"
//! ```

mod examine;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use russet_core::limits::PARTITIONS_MAX;
use russet_engine::{Backend, Clock, Queue, Store};
use serde::{Deserialize, Serialize};

pub use examine::Finding;

use crate::embedded::{Embedded, EmbeddedOptions, OpenError};
use crate::limits::{CACHE_MB_MAX, PAGE_CACHE_BYTES};
use crate::memory::{Memory, MemoryQueue};

/// Where an embedded store is, unless configured: below the working directory.
pub const DATA_DIR: &str = "russet-data";

/// The store and the queue. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[store]`
    pub store: StoreConfig,
    /// `[queue]`
    pub queue: QueueConfig,
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Which store.
    pub backend: StoreBackend,
    /// Embedded: the directory of its file; [`DATA_DIR`] unless given.
    pub data_dir: Option<PathBuf>,
    /// How many partitions; a new store has 1 unless given, and an old one has what it has.
    pub partitions: Option<u16>,
    /// Embedded: memory for pages of the file, in MiB.
    pub cache_mb: Option<usize>,
}

/// The stores that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreBackend {
    /// One file on one machine; see [`crate::embedded`].
    #[default]
    Embedded,
    /// Nothing survives the process; see [`crate::memory`].
    Memory,
}

/// The queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// Which queue.
    pub backend: QueueBackend,
}

/// The queues that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueBackend {
    /// The store is the queue.
    #[default]
    Store,
    /// A queue by itself, in memory; only the tasks of this process are announced in it.
    Memory,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not a configuration.
    #[error("the configuration cannot be read: {0}")]
    Text(#[from] toml::de::Error),
    /// A setting is out of its range.
    #[error("{setting} is {value}: set it to {range}")]
    Range {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: usize,
        /// What it can be.
        range: String,
    },
    /// The embedded store's directory cannot be made.
    #[error(
        "[store] data_dir: {} cannot be made, {} is not writable; choose another, or allow it",
        directory.display(), parent.display()
    )]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What there is of its path.
        parent: PathBuf,
    },
    /// The store cannot be opened.
    #[error("{setting}: {source}")]
    Open {
        /// The setting that it hangs on.
        setting: &'static str,
        /// Why, and what to do.
        source: OpenError,
    },
}

impl Config {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`ConfigError::Text`], which names the line and what could stand there;
    /// [`ConfigError::Range`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Opens the store and the queue. This blocks while an embedded store reads its records.
    ///
    /// # Errors
    /// [`ConfigError::Range`]; [`ConfigError::Open`].
    pub async fn open(&self, clock: Arc<dyn Clock>) -> Result<Backend, ConfigError> {
        self.check()?;
        let (store, own): (Arc<dyn Store>, Arc<dyn Queue>) = match self.store.backend {
            StoreBackend::Memory => {
                let partitions = self.store.partitions.unwrap_or(1);
                let memory = Memory::new(partitions, clock.clone());
                (memory.clone(), memory)
            }
            StoreBackend::Embedded => {
                let embedded = self.store.open_embedded(clock.clone())?;
                (embedded.clone(), embedded)
            }
        };
        let queue = match self.queue.backend {
            QueueBackend::Store => own,
            QueueBackend::Memory => MemoryQueue::new(clock),
        };
        Ok(Backend { store, queue })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let settings = [
            (
                "[store] partitions",
                self.store.partitions.map(usize::from),
                usize::from(PARTITIONS_MAX),
            ),
            ("[store] cache_mb", self.store.cache_mb, CACHE_MB_MAX),
        ];
        for (setting, value, most) in settings {
            if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                let range = format!("1 to {most}");
                return Err(ConfigError::Range {
                    setting,
                    value,
                    range,
                });
            }
        }
        Ok(())
    }
}

impl StoreConfig {
    /// Opens the embedded store, whichever is configured.
    ///
    /// # Errors
    /// [`ConfigError::Open`].
    pub fn open_embedded(&self, clock: Arc<dyn Clock>) -> Result<Arc<Embedded>, ConfigError> {
        let directory = self.data_dir.clone().unwrap_or_else(|| DATA_DIR.into());
        let options = EmbeddedOptions {
            partitions: self.partitions,
            cache_bytes: self.cache_mb.map_or(PAGE_CACHE_BYTES, |mb| mb << 20),
            ..EmbeddedOptions::default()
        };
        Embedded::open(&directory, options, clock).map_err(|source| ConfigError::Open {
            setting: match source {
                OpenError::Partitions { .. } => "[store] partitions",
                _ => "[store] data_dir",
            },
            source,
        })
    }
}
