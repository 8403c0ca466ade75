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

mod arrivals;
mod batch;
mod call;
mod connect;
mod core;
mod error;
mod group;
mod groups;
mod index;
mod info;
mod keys;
mod lanes;
mod link;
mod list;
mod member;
mod open;
mod options;
mod queue;
mod receipt;
mod running;
mod script;
mod seen;
mod stats;
mod store;
mod take;
mod writer;

use std::sync::Arc;

use russet_core::PartitionId;
use russet_engine::{Clock, Delivery};
use tokio::sync::{mpsc, watch};

pub use self::connect::{Connect, Stream};
use self::core::{Core, Partition};
pub use self::error::RedisOpenError;
use self::groups::Groups;
use self::keys::Names;
use self::lanes::KnownLanes;
use self::link::{Dialer, Link};
pub use self::open::RedisFound;
use self::options::Target;
pub use self::options::{Acknowledge, Address, RedisOptions, Topology};
use self::running::Running;
pub use self::seen::Seen;

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
        let connect = connect::connector(&options, &target)?;
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
        let links = std::iter::repeat_with(|| Link::new(dialer.clone()));
        let links: Vec<Link> = links.take(options.connections).collect();
        let names = Names::new(&options.prefix);
        let partitions = open::check_server(&options, &names, &links[0]).await?;
        let own = (0..partitions).map(|n| Partition::new(&names, PartitionId(n)));
        let core = Arc::new(Core {
            clock,
            partitions: own.collect(),
            names,
            links,
            lanes: KnownLanes::new(),
            groups: Groups::new(partitions),
            acknowledge: options.acknowledge,
        });
        core.enter_all().await;
        let (heard, mut hears) = watch::channel(false);
        let (returns, returned) = mpsc::unbounded_channel();
        let background = vec![
            Running::new(arrivals::listen(core.clone(), dialer.clone(), heard)),
            Running::new(arrivals::read_lanes(core.clone())),
            Running::new(give_back(core.clone(), returned)),
        ];
        tokio::select! {
            biased;
            // Whoever listens lives as long as this.
            _ = hears.wait_for(|heard| *heard) => {}
            () = dialer.clock.sleep(dialer.timeout) => {
                return Err(RedisOpenError::Forbidden {
                    address: dialer.connect.describe(),
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
    let connect = connect::connector(&options, &target)?;
    let link = Link::new(dialer(&options, connect, &clock)?);
    open::examine(&options, &Names::new(&options.prefix), &link).await
}

fn dialer(
    options: &RedisOptions,
    connect: Arc<dyn Connect>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Dialer>, RedisOpenError> {
    open::check_options(options)?;
    Ok(Arc::new(Dialer {
        connect,
        login: Target::parse(&options.url)?.login,
        clock: clock.clone(),
        timeout: options.timeout,
    }))
}

async fn give_back(core: Arc<Core>, mut returned: mpsc::UnboundedReceiver<Vec<Delivery>>) {
    while let Some(deliveries) = returned.recv().await {
        take::give_back(&core, deliveries).await;
    }
}
