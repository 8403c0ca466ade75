//! The Redis backend on real servers: the conformance suite, and what a server can do wrong.

mod failing;
mod nodes;
mod opening;
mod replicas;
mod sentinel;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use russet_backends::conformance::{Durable, Factory};
use russet_backends::redis::{Redis, RedisOptions};
use russet_engine::{Backend, Clock, SystemClock};
use russet_servers::{RedisServer, RedisVersion};

/// A server that goes away with the factory.
struct Servers {
    server: Mutex<RedisServer>,
}

impl Servers {
    fn new(version: RedisVersion) -> Self {
        let arguments = ["--appendonly", "yes", "--appendfsync", "always"];
        let server = Mutex::new(RedisServer::start_with(version, &arguments));
        Self { server }
    }

    async fn open(&self, partitions: Option<u16>) -> Backend {
        let url = self.server.lock().expect("the server").url();
        let mut options = RedisOptions::new(url);
        options.partitions = partitions;
        backend(open(options).await)
    }
}

#[async_trait]
impl Factory for Servers {
    async fn create(&self, partitions: u16) -> Backend {
        self.open(Some(partitions)).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

#[async_trait]
impl Durable for Servers {
    /// The server is killed, and started again.
    async fn reopen(&self, backend: Backend) -> Backend {
        drop(backend);
        self.server.lock().expect("the server").restart();
        self.open(None).await
    }
}

async fn open(options: RedisOptions) -> Arc<Redis> {
    let redis = Redis::open(options, Arc::new(SystemClock)).await;
    redis.unwrap_or_else(|error| panic!("the store opens: {error}"))
}

fn backend(redis: Arc<Redis>) -> Backend {
    Backend {
        store: redis.clone(),
        queue: redis,
    }
}

russet_backends::conformance! {
    redis_6: Servers::new(RedisVersion::Redis6) => store, queue, ordered, fused
}
russet_backends::conformance! {
    redis_7: Servers::new(RedisVersion::Redis7) => store, queue, ordered, fused
}
russet_backends::conformance! {
    valkey_9: Servers::new(RedisVersion::Valkey9) => store, queue, ordered, fused
}

/// The part `durable` but for its test of deliveries: what is hidden survives as well, until its
/// time is over.
mod durable {
    use russet_backends::conformance::durable;

    use super::*;

    const ALL: [RedisVersion; 3] = [
        RedisVersion::Redis6,
        RedisVersion::Redis7,
        RedisVersion::Valkey9,
    ];

    #[tokio::test]
    async fn records_and_versions_survive() {
        for version in ALL {
            durable::records_and_versions_survive(&Servers::new(version)).await;
        }
    }

    #[tokio::test]
    async fn what_was_removed_stays_removed() {
        for version in ALL {
            durable::what_was_removed_stays_removed(&Servers::new(version)).await;
        }
    }

    #[tokio::test]
    async fn indexes_are_the_same_after_opening_again() {
        for version in ALL {
            durable::indexes_are_the_same_after_opening_again(&Servers::new(version)).await;
        }
    }
}
