//! Redis 6.2 or newer, or Valkey: a store that is its own queue, for several nodes.
//!
//! # Layout
//! A partition has a hash of all its records, which scripts compare the versions of and never
//! decode, and sorted sets that find them: timers, the tasks of each queue by status, of each
//! workflow, and the ready tasks of each lane beside those that were delivered and are hidden.
//! What the entries of a record are is decided by `russet-core` ([`russet_core::entries`]); a
//! commit changes them in the same atomic step as the records.
//!
//! # What a failover may cost
//! Redis acknowledges what its replicas do not have yet. A failover then loses what was
//! acknowledged last, whatever `min-replicas-to-write` says. With [`Acknowledge::Replica`] a
//! commit waits for one replica; it is still lost when another one takes over. Each partition
//! has an epoch, which grows when another server than before answers, and no commit of an
//! earlier epoch is accepted.
//!
//! # A cluster
//! All names of a partition are in one slot, and every script names all that it touches: so each
//! call goes to the node that has the slot, and follows it when it moves. A node that is asked
//! for what another one is still giving to it (`ASK`) is asked for that alone: a script of one
//! name would make there what is still at the other. A node that is giving a slot away refuses
//! what a script says of a name that it has just emptied, and keeps what was written before: so
//! scripts take out what goes out last, and leave alone what they have emptied.

mod apart;
mod arrivals;
mod batch;
mod call;
mod cluster;
mod commit;
mod connect;
mod core;
mod dialer;
mod error;
mod found;
mod group;
mod groups;
mod index;
mod info;
mod keys;
mod lanes;
mod link;
mod links;
mod list;
mod member;
mod open;
mod options;
mod peek;
mod queue;
mod receipt;
mod running;
mod script;
mod seen;
mod slots;
mod stats;
mod store;
mod take;
mod writer;

use std::sync::Arc;

use russet_core::PartitionId;
use russet_engine::{Clock, Delivery};
use tokio::sync::{mpsc, watch};

use self::cluster::Connections;
pub use self::connect::{Connect, Stream};
use self::core::{Core, Partition};
use self::dialer::Dialer;
pub use self::error::RedisOpenError;
pub use self::found::RedisFound;
use self::groups::Groups;
use self::keys::Names;
use self::lanes::KnownLanes;
use self::links::Links;
use self::options::Target;
pub use self::options::{Acknowledge, Address, RedisOptions, Topology};
use self::running::Running;
pub use self::seen::Seen;
use crate::unreadable::Unreadable;

/// A store in Redis that is its own queue.
pub struct Redis {
    core: Arc<Core>,
    /// Deliveries that a receiver was given while it went away.
    returns: mpsc::UnboundedSender<Vec<Delivery>>,
    _background: Vec<Running>,
}

impl Redis {
    /// Opens a store, which is made if there is none. Waiting goes by `clock`; visibility goes
    /// by the server's.
    ///
    /// # Errors
    /// [`RedisOpenError`], which says what to do.
    pub async fn open(
        options: RedisOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, RedisOpenError> {
        let target = Target::parse(&options.url)?;
        let connect = connect::connector(&options, &target, &clock)?;
        Self::open_with(options, connect, clock).await
    }

    /// Opens a store over connections that come about in another way than the options say.
    ///
    /// # Errors
    /// [`RedisOpenError`], which says what to do.
    pub async fn open_with(
        options: RedisOptions,
        connect: Arc<dyn Connect>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, RedisOpenError> {
        let dialer = dialer(&options, connect, &clock)?;
        let links = links(&options, &dialer)?;
        let names = Names::new(&options.prefix);
        let partitions = open::check_servers(&options, &names, &links).await?;
        let own = (0..partitions).map(|n| Partition::new(&names, PartitionId(n)));
        let core = Arc::new(Core {
            clock,
            partitions: own.collect(),
            names,
            links,
            lanes: KnownLanes::new(),
            groups: Groups::new(partitions),
            acknowledge: options.acknowledge,
            unreadable: Unreadable::default(),
        });
        core.enter_all().await;
        let servers = u32::try_from(core.links.servers().len()).unwrap_or(u32::MAX);
        let servers = servers.max(1);
        let (heard, mut hears) = watch::channel(false);
        let (returns, returned) = mpsc::unbounded_channel();
        let background = vec![
            Running::new(arrivals::listen(core.clone(), heard)),
            Running::new(keep_learning(core.clone())),
            Running::new(arrivals::read_lanes(core.clone())),
            Running::new(give_back(core.clone(), returned)),
        ];
        tokio::select! {
            biased;
            // Whoever listens lives as long as this.
            _ = hears.wait_for(|heard| *heard) => {}
            // A node of a cluster that hangs is given up before another one is listened to.
            () = dialer.clock.sleep(dialer.timeout * servers) => {
                return Err(RedisOpenError::Forbidden {
                    address: dialer.describe(),
                    command: "SUBSCRIBE".to_owned(),
                    why: format!("arrivals are not told of within {:?}", dialer.timeout),
                    prefix: options.prefix,
                });
            }
        }
        Ok(Arc::new(Self {
            core,
            returns,
            _background: background,
        }))
    }
}

/// Looks at what there is for a store, and makes or changes nothing.
///
/// # Errors
/// [`RedisOpenError`], which says what to do.
pub async fn examine(
    options: RedisOptions,
    clock: Arc<dyn Clock>,
) -> Result<RedisFound, RedisOpenError> {
    let target = Target::parse(&options.url)?;
    let connect = connect::connector(&options, &target, &clock)?;
    let links = links(&options, &dialer(&options, connect, &clock)?)?;
    found::examine(&options, &Names::new(&options.prefix), &links).await
}

fn dialer(
    options: &RedisOptions,
    connect: Arc<dyn Connect>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Dialer>, RedisOpenError> {
    options.check()?;
    Ok(Arc::new(Dialer {
        connect,
        node: None,
        login: Target::parse(&options.url)?.login,
        clock: clock.clone(),
        timeout: options.timeout,
    }))
}

fn links(options: &RedisOptions, dialer: &Arc<Dialer>) -> Result<Links, RedisOpenError> {
    let nodes = match &options.topology {
        Topology::Cluster { others } => Target::parse(&options.url)?.with("node", others)?,
        Topology::Single | Topology::Sentinel { .. } => Vec::new(),
    };
    let shared = options.connections;
    let waiting = match options.acknowledge {
        Acknowledge::Primary => 0,
        Acknowledge::Replica => shared,
    };
    Ok(Links::new(dialer, Connections { shared, waiting }, nodes))
}

async fn keep_learning(core: Arc<Core>) {
    if let Links::Cluster(cluster) = &core.links {
        cluster.keep_learning().await;
    }
}

async fn give_back(core: Arc<Core>, mut returned: mpsc::UnboundedReceiver<Vec<Delivery>>) {
    while let Some(deliveries) = returned.recv().await {
        take::give_back(&core, deliveries).await;
    }
}
