//! The Redis backend on real servers: the conformance suite, and what a server can do wrong.

mod apart;
mod cluster;
mod damage;
mod failing;
mod forgotten;
mod full;
mod log;
mod moved;
mod nodes;
mod opening;
mod reaching;
mod replicas;
mod secrets;
mod sentinel;
mod sentinels;
mod small;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use russet_backends::conformance::{Durable, Factory};
use russet_backends::redis::{Redis, RedisOptions};
use russet_engine::{Backend, Clock, SystemClock};
use russet_servers::{RedisCluster, RedisServer, RedisVersion};

/// What is kept of what is acknowledged: all of it.
const SYNCED: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// A server, or a cluster, that goes away with the factory.
struct Servers {
    running: Mutex<Running>,
}

enum Running {
    Server(RedisServer),
    Cluster(RedisCluster),
}

impl Servers {
    fn new(version: RedisVersion) -> Self {
        let server = RedisServer::start_with(version, &SYNCED);
        let running = Mutex::new(Running::Server(server));
        Self { running }
    }

    fn cluster(version: RedisVersion) -> Self {
        let cluster = RedisCluster::start(version, &SYNCED);
        let running = Mutex::new(Running::Cluster(cluster));
        Self { running }
    }

    async fn open(&self, partitions: Option<u16>) -> Backend {
        let mut options = match &*self.running.lock().expect("what runs") {
            Running::Server(server) => RedisOptions::new(server.url()),
            Running::Cluster(cluster) => cluster::options(cluster),
        };
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
    /// All servers are killed, and started again.
    async fn reopen(&self, backend: Backend) -> Backend {
        drop(backend);
        match &mut *self.running.lock().expect("what runs") {
            Running::Server(server) => server.restart(),
            Running::Cluster(cluster) => cluster.restart(),
        }
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
russet_backends::conformance! {
    redis_6_cluster: Servers::cluster(RedisVersion::Redis6) => store, queue, ordered, fused
}
russet_backends::conformance! {
    redis_7_cluster: Servers::cluster(RedisVersion::Redis7) => store, queue, ordered, fused
}
russet_backends::conformance! {
    valkey_9_cluster: Servers::cluster(RedisVersion::Valkey9) => store, queue, ordered, fused
}

/// The part `durable` but for its test of deliveries: what is hidden survives as well, until its
/// time is over.
mod durable {
    use russet_backends::conformance::durable;

    use super::*;

    fn all() -> impl Iterator<Item = Servers> {
        let versions = [
            RedisVersion::Redis6,
            RedisVersion::Redis7,
            RedisVersion::Valkey9,
        ];
        let cluster = std::iter::once_with(|| Servers::cluster(RedisVersion::Redis7));
        versions.into_iter().map(Servers::new).chain(cluster)
    }

    #[tokio::test]
    async fn records_and_versions_survive() {
        for servers in all() {
            durable::records_and_versions_survive(&servers).await;
        }
    }

    #[tokio::test]
    async fn what_was_removed_stays_removed() {
        for servers in all() {
            durable::what_was_removed_stays_removed(&servers).await;
        }
    }

    #[tokio::test]
    async fn indexes_are_the_same_after_opening_again() {
        for servers in all() {
            durable::indexes_are_the_same_after_opening_again(&servers).await;
        }
    }
}
