//! Where the server keeps its tasks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russet_backends::embedded::{Embedded, EmbeddedOptions, OpenError};
use russet_backends::memory::Memory;
use russet_engine::{Backend, Configuration, SystemClock};
use serde::Deserialize;

use crate::config::DATA_DIR;

/// A backend that is open.
pub struct Opened {
    /// The store and the queue.
    pub backend: Backend,
    /// How the scheduler treats them.
    pub configuration: Configuration,
    /// What it is, for people to read.
    pub describes: String,
}

/// Why a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The configuration does not name one.
    #[error("configuration: {0}")]
    Settings(String),
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(default)]
    store: StoreTable,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoreTable {
    kind: StoreKind,
    path: Option<PathBuf>,
    partitions: Option<u16>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoreKind {
    #[default]
    Embedded,
    Memory,
}

/// Opens what the configuration names; the embedded store when it names none. `data_dir` goes
/// before what the configuration says. This blocks while a store is read.
///
/// # Errors
/// Settings that cannot be, or a store that cannot be opened.
pub fn open(tables: &toml::Table, data_dir: Option<&Path>) -> Result<Opened, BackendError> {
    let settings = |error: toml::de::Error| BackendError::Settings(error.message().to_owned());
    let Tables { store } = tables.clone().try_into().map_err(settings)?;
    let clock = Arc::new(SystemClock);
    let (backend, describes) = match store.kind {
        StoreKind::Memory => {
            let memory = Memory::new(store.partitions.unwrap_or(1), clock);
            let backend = Backend {
                store: memory.clone(),
                queue: memory,
            };
            (
                backend,
                "in memory: nothing survives this process".to_owned(),
            )
        }
        StoreKind::Embedded => {
            let path = data_dir.map(Path::to_owned).or(store.path);
            let path = path.unwrap_or_else(|| DATA_DIR.into());
            let options = EmbeddedOptions {
                partitions: store.partitions,
                ..EmbeddedOptions::default()
            };
            let embedded = Embedded::open(&path, options, clock)?;
            let backend = Backend {
                store: embedded.clone(),
                queue: embedded,
            };
            (backend, format!("data in {}", path.display()))
        }
    };
    Ok(Opened {
        backend,
        configuration: Configuration::default(),
        describes,
    })
}
