//! The embedded backend: the conformance suite, and what a file can do wrong.

mod damage;
mod failing;
mod faults;
mod nodes;
mod opening;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use russet_backends::conformance::{Durable, Factory};
use russet_backends::embedded::{Embedded, EmbeddedOptions, Writer};
use russet_engine::{Backend, Clock, SystemClock};
use tempfile::TempDir;

/// A file in a directory that goes away with the factory.
struct Files {
    root: TempDir,
    writer: Writer,
}

impl Files {
    fn new(writer: Writer) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        Self { root, writer }
    }

    fn open(&self, partitions: Option<u16>) -> Backend {
        let options = EmbeddedOptions {
            partitions,
            cache_bytes: 1 << 20,
            writer: self.writer,
        };
        let directory: PathBuf = self.root.path().join("deep/in/there");
        let embedded = Embedded::open(&directory, options, self.clock());
        backend(embedded.expect("the store opens"))
    }
}

#[async_trait]
impl Factory for Files {
    async fn create(&self, partitions: u16) -> Backend {
        self.open(Some(partitions))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

#[async_trait]
impl Durable for Files {
    async fn reopen(&self, backend: Backend) -> Backend {
        drop(backend);
        self.open(None)
    }
}

fn backend(embedded: Arc<Embedded>) -> Backend {
    Backend {
        store: embedded.clone(),
        queue: embedded,
    }
}

russet_backends::conformance! {
    by_thread: Files::new(Writer::Thread) => store, queue, ordered, fused, durable
}
russet_backends::conformance! {
    by_caller: Files::new(Writer::Caller) => store, queue, ordered, fused, durable
}
