use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::redis::{
    Acknowledge, Address, Connect, Redis, RedisOpenError, RedisOptions, Stream, Topology,
};
use russet_engine::Clock;
use tokio::io::duplex;
use tokio::time::sleep;

use super::server::{Instance, RedisServer};
use super::session;
use super::{PREFIX, primary};
use crate::history::Actor;
use crate::plan::Plan;
use crate::world::net::Net;
use crate::world::time::NodeClock;

/// With what the names of the primaries of a cluster begin.
const HOST: &str = "store-";
/// How long a node waits for a reply.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause before a node that could not open its store starts again.
const RESTART: Duration = Duration::from_millis(500);
/// In so much time a client that nothing delays has read what it reads in the background.
const SETTLED: Duration = Duration::from_millis(1);
/// Bytes on their way to a server that nothing delays.
const BUFFER: usize = 1 << 20;

/// The options of a node.
fn options(partitions: u16) -> RedisOptions {
    RedisOptions {
        prefix: PREFIX.to_owned(),
        partitions: Some(partitions),
        timeout: PATIENCE,
        ..RedisOptions::new("redis://store:6379")
    }
}

/// The options of a node of a cluster of so many primaries.
fn clustered(partitions: u16, primaries: u8) -> RedisOptions {
    let mut nodes = (0..primaries).map(|number| {
        let (host, port) = address(number);
        format!("{host}:{port}")
    });
    let first = nodes.next().unwrap_or_default();
    RedisOptions {
        url: format!("redis://{first}"),
        topology: Topology::Cluster {
            others: nodes.collect(),
        },
        ..options(partitions)
    }
}

/// Where a primary of a cluster is.
pub(super) fn address(number: u8) -> (String, u16) {
    (format!("{HOST}{number}"), 6379)
}

/// Opens the store of a node, however long the server is away.
pub async fn open(net: &Net, node: Actor, plan: &Plan, clock: Arc<NodeClock>) -> Arc<Redis> {
    let mut options = match plan.cluster {
        Some(primaries) => clustered(plan.partitions, primaries),
        None => options(plan.partitions),
    };
    if plan.acknowledged_by_replica {
        options.acknowledge = Acknowledge::Replica;
    }
    let connect = Arc::new(OverNet {
        net: net.clone(),
        node,
    });
    loop {
        let (connect, clock): (Arc<dyn Connect>, Arc<dyn Clock>) = (connect.clone(), clock.clone());
        match Redis::open_with(options.clone(), connect, clock).await {
            Ok(redis) => return redis,
            Err(_) => sleep(RESTART).await,
        }
    }
}

/// Connections over the network.
struct OverNet {
    net: Net,
    node: Actor,
}

#[async_trait]
impl Connect for OverNet {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = self.net.connect(self.node, Actor::Store).await?;
        Ok(Box::new(stream))
    }

    async fn connect_to(&self, node: &Address) -> io::Result<Box<dyn Stream>> {
        let number = node.host.strip_prefix(HOST).and_then(|n| n.parse().ok());
        let number = number.ok_or(io::ErrorKind::HostUnreachable)?;
        let stream = self.net.connect(self.node, primary(number)).await?;
        Ok(Box::new(stream))
    }

    fn describe(&self) -> String {
        "redis://store".to_owned()
    }
}

/// Connections to a copy of a server, with nothing between.
struct Directly(Arc<Instance>);

#[async_trait]
impl Connect for Directly {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let (own, stream) = duplex(BUFFER);
        let instance = self.0.clone();
        tokio::spawn(async move {
            // The client has gone.
            let _ = session::serve_directly(instance, stream).await;
        });
        Ok(Box::new(own))
    }

    fn describe(&self) -> String {
        "a copy of the store".to_owned()
    }
}

impl RedisServer {
    /// Looks at everything that the adapter says of a copy of what the server holds now.
    ///
    /// # Errors
    /// A store that does not open.
    pub async fn look(&self, partitions: u16) -> Result<(), RedisOpenError> {
        let sights = self.account().ledger().sights();
        let copy = Instance::new(self.whole());
        let clock = Arc::new(NodeClock::right());
        let redis = Redis::open_with(options(partitions), Arc::new(Directly(copy)), clock).await?;
        sleep(SETTLED).await;
        let ledger = self.account().ledger();
        if let Err(error) = ledger
            .look(sights, redis.as_ref(), Some(redis.as_ref()))
            .await
        {
            panic!("a copy of the store cannot be read: {error}");
        }
        Ok(())
    }
}
