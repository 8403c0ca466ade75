use std::path::PathBuf;
use std::sync::Arc;

use russet_engine::Clock;
use serde::{Deserialize, Serialize};

use super::{ConfigError, DATA_DIR};
use crate::embedded::{Embedded, EmbeddedOptions, OpenError};
use crate::limits::PAGE_CACHE_BYTES;

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
    /// A server that any number of nodes share; see [`crate::redis`].
    Redis,
    /// A table that any number of nodes share; see [`crate::dynamodb`].
    Dynamodb,
}

impl StoreBackend {
    /// Its name in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Dynamodb => "dynamodb",
        }
    }

    /// Whether several nodes can work on it at the same time.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Redis | Self::Dynamodb)
    }
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
    /// One SQS queue for each lane and band of priorities; see [`crate::sqs`].
    Sqs,
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
