mod counts;
mod damage;
mod faults;
mod limits;
mod opening;
mod permissions;
mod steady;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use russet_backends::conformance::{Durable, Factory};
use russet_backends::dynamodb::Dynamo;
use russet_backends::memory::MemoryQueue;
use russet_engine::{Backend, Clock, SystemClock};
use russet_servers::Ministack;

use self::steady::Steady;
use crate::servers::table;

/// Tables on a server of their own.
struct Tables {
    server: Ministack,
    made: AtomicU64,
}

impl Tables {
    fn start() -> Self {
        Self {
            server: Ministack::start(),
            made: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Factory for Tables {
    async fn create(&self, partitions: u16) -> Backend {
        let name = format!("russet-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let options = table(&self.server.url(), &name, partitions);
        let made = Dynamo::create_table(&options, self.clock()).await;
        made.expect("the table is made");
        let store = Dynamo::open(options, self.clock()).await;
        Backend {
            store: Steady::new(store.expect("the table is opened")),
            queue: MemoryQueue::new(self.clock()),
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

#[async_trait]
impl Durable for Tables {
    async fn reopen(&self, backend: Backend) -> Backend {
        let partitions = backend.store.partitions();
        let name = format!("russet-{}", self.made.load(Ordering::Relaxed) - 1);
        let options = table(&self.server.url(), &name, partitions);
        let store = Dynamo::open(options, self.clock()).await;
        Backend {
            store: store.expect("the table is opened again"),
            queue: MemoryQueue::new(self.clock()),
        }
    }
}

russet_backends::conformance! { on_ministack: Tables::start() => store, durable }
