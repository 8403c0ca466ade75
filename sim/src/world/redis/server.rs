use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::PartitionId;
use russet_models::redis::{Condition, Membership, NodeNumber, Redis, Reply, SessionId, slot};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::account::Account;
use super::client::address;
use super::{PREFIX, number, session};
use crate::history::Actor;
use crate::plan::{Plan, Random};
use crate::world::ledger::Ledger;
use crate::world::net::Net;
use crate::world::server::Mood;
use crate::world::time::now;
use crate::world_time::EPOCH_MS;

/// Longest time for which a server that was replaced does not notice it.
const UNNOTICED_MS: u64 = 4_000;

/// A server with its replicas, or several that are a cluster. What they hold outlives their
/// crashes: they write everything to their disks before they answer. Clones are the same.
#[derive(Clone)]
pub struct RedisServer(Arc<Inner>);

struct Inner {
    /// By number.
    primaries: Vec<Mutex<Arc<Instance>>>,
    random: Random,
    /// How many replicas each primary has.
    replicas: u32,
    /// By number: for how many reasons no replica gets what is written now.
    without_replica: Vec<AtomicU32>,
    pub account: Account,
    pub mood: Arc<Mood>,
}

/// One server process.
pub(super) struct Instance {
    redis: Mutex<Redis>,
    /// The clients that can be told something.
    listeners: Mutex<BTreeMap<SessionId, mpsc::UnboundedSender<Reply>>>,
    /// It was replaced, and has noticed.
    closed: watch::Sender<bool>,
    /// It was replaced, and is told that it is a replica now.
    retired: watch::Sender<bool>,
}

impl Instance {
    pub fn new(redis: Redis) -> Arc<Self> {
        let (closed, _) = watch::channel(false);
        Arc::new(Self {
            redis: Mutex::new(redis),
            listeners: Mutex::default(),
            closed,
            retired: watch::channel(false).0,
        })
    }

    /// Which primary it is, or was.
    pub fn number(&self) -> NodeNumber {
        let own = |cluster: &mut Membership| cluster.own();
        self.redis().cluster().map_or(0, own)
    }

    /// The server, which knows what time it is.
    pub fn redis(&self) -> MutexGuard<'_, Redis> {
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        redis.set_time(EPOCH_MS * 1_000 + now().0);
        redis
    }

    pub fn listen(&self, session: SessionId) -> mpsc::UnboundedReceiver<Reply> {
        let (ear, heard) = mpsc::unbounded_channel();
        self.listeners().insert(session, ear);
        heard
    }

    pub fn forget(&self, session: SessionId) {
        self.listeners().remove(&session);
    }

    /// Tells clients that listen.
    pub fn tell(&self, told: Vec<(SessionId, Reply)>) {
        let listeners = self.listeners();
        for (session, message) in told {
            if let Some(ear) = listeners.get(&session) {
                // Whoever has gone hears nothing.
                let _ = ear.send(message);
            }
        }
    }

    pub async fn closed(&self) {
        happened(&self.closed).await;
    }

    pub fn is_retired(&self) -> bool {
        *self.retired.borrow()
    }

    pub async fn retired(&self) {
        happened(&self.retired).await;
    }

    fn listeners(&self) -> MutexGuard<'_, BTreeMap<SessionId, mpsc::UnboundedSender<Reply>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Comes back when the flag is set. Its sender lives as long as whoever asks.
async fn happened(flag: &watch::Sender<bool>) {
    let _ = flag.subscribe().wait_for(|set| *set).await;
}

impl RedisServer {
    /// A server that holds nothing, or several.
    pub fn new(plan: &Plan, ledger: Ledger, mood: Arc<Mood>) -> Self {
        let random = Random::new(plan.seed, 8);
        let nodes: Vec<_> = (0..plan.cluster.unwrap_or(1)).map(address).collect();
        let primaries = (0..nodes.len() as NodeNumber).map(|number| {
            let mut redis = Redis::new(random.within(0..u64::MAX));
            if plan.cluster.is_some() {
                redis.join(Membership::new(nodes.clone(), number));
            }
            Mutex::new(Instance::new(redis))
        });
        Self(Arc::new(Inner {
            primaries: primaries.collect(),
            account: Account::new(ledger),
            mood,
            random,
            replicas: u32::from(plan.acknowledged_by_replica),
            without_replica: nodes.iter().map(|_| AtomicU32::new(0)).collect(),
        }))
    }

    /// Serves as `actor` for as long as it is polled, from a start of the server on.
    pub async fn run(self, net: Net, actor: Actor) {
        self.replace(actor, |redis, run| redis.replica(run));
        let mut incoming = net.accept(actor);
        while let Some(connection) = incoming.recv().await {
            let (server, primary) = (self.clone(), self.primary(number(actor)));
            tokio::spawn(async move {
                // A client that has gone, or that speaks another language, is not answered.
                let _ = session::serve(server, primary, connection).await;
            });
        }
    }

    /// How many replicas of its own a primary that was not replaced has now, with all that was
    /// written.
    pub(super) fn replicas(&self, of: NodeNumber) -> u32 {
        match self.without_replica(of).load(Ordering::Relaxed) {
            0 => self.0.replicas,
            _ => 0,
        }
    }

    fn without_replica(&self, of: NodeNumber) -> &AtomicU32 {
        &self.0.without_replica[usize::from(of)]
    }

    /// Forgets all scripts.
    pub fn forget_scripts(&self, whom: Actor) {
        self.primary(number(whom)).redis().forget_scripts();
    }

    /// Has no memory left, or has some again.
    pub fn fill(&self, whom: Actor, full: bool) {
        let primary = self.primary(number(whom));
        let mut redis = primary.redis();
        let known = redis.condition();
        redis.set_condition(Condition { full, ..known });
    }

    /// A replica takes over, which has everything.
    pub fn fail_over(&self, whom: Actor) {
        let old = self.replace(whom, |redis, run| redis.replica(run));
        self.retire(old);
    }

    /// A replica takes over that has nothing of what is written in the next `behind`. Meanwhile no
    /// slot is moved.
    pub async fn fail_over_behind(&self, whom: Actor, behind: Duration) {
        let own = number(whom);
        let is_held = |partition| self.holder(partition) == own;
        let (replica, records) = {
            let primary = self.primary(own);
            self.without_replica(own).fetch_add(1, Ordering::Relaxed);
            let replica = primary.redis().replica(self.run_id());
            (replica, self.0.account.ledger().records())
        };
        sleep(behind).await;
        let old = self.replace(whom, |_, run| replica.replica(run));
        self.0.account.ledger().go_back(records, is_held);
        self.retire(old);
        self.without_replica(own).fetch_sub(1, Ordering::Relaxed);
    }

    /// The one that was replaced refuses to write, until it notices and closes: then it follows
    /// the new one, which had no replica before.
    fn retire(&self, old: Arc<Instance>) {
        old.retired.send_replace(true);
        let (server, own, replica) = (self.clone(), old.number(), true);
        self.without_replica(own).fetch_add(1, Ordering::Relaxed);
        old.redis().set_condition(Condition {
            replica,
            ..Condition::default()
        });
        let unnoticed = Duration::from_millis(self.0.random.within(0..UNNOTICED_MS));
        tokio::spawn(async move {
            sleep(unnoticed).await;
            old.closed.send_replace(true);
            server.without_replica(own).fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Another process takes the server's place; returns the one before.
    fn replace(&self, whom: Actor, with: impl FnOnce(&Redis, u64) -> Redis) -> Arc<Instance> {
        let run = self.run_id();
        let mut primary = self.place(number(whom));
        let mut next = with(&primary.redis(), run);
        let condition = next.condition();
        next.set_condition(Condition {
            replicas: self.0.replicas,
            ..condition
        });
        std::mem::replace(&mut primary, Instance::new(next))
    }

    pub(super) fn primary(&self, number: NodeNumber) -> Arc<Instance> {
        self.place(number).clone()
    }

    fn place(&self, number: NodeNumber) -> MutexGuard<'_, Arc<Instance>> {
        let primary = self.0.primaries[usize::from(number)].lock();
        primary.unwrap_or_else(PoisonError::into_inner)
    }

    /// A server that has what all primaries have together.
    pub(super) fn whole(&self) -> Redis {
        let parts: Vec<_> = (0..self.nodes()).map(|n| self.primary(n)).collect();
        let parts: Vec<_> = parts.iter().map(|part| part.redis()).collect();
        Redis::of_all(0, parts.iter().map(|part| &**part))
    }

    /// How many primaries there are.
    pub(super) fn nodes(&self) -> NodeNumber {
        self.0.primaries.len() as NodeNumber
    }

    /// The primary that has a partition.
    fn holder(&self, partition: PartitionId) -> NodeNumber {
        let slot = slot(format!("{{{PREFIX}:{}}}", partition.0).as_bytes());
        let owner = |cluster: &mut Membership| cluster.owner(slot);
        self.primary(0).redis().cluster().map_or(0, owner)
    }

    /// Changes what a node of a cluster knows of it; whether it is a node of one.
    pub(super) fn tell(&self, node: NodeNumber, news: impl FnOnce(&mut Membership)) -> bool {
        self.primary(node).redis().cluster().map(news).is_some()
    }

    /// The nodes of a cluster miss one, or miss none any more.
    pub fn set_down(&self, down: bool) {
        for number in 0..self.nodes() {
            self.tell(number, |known| known.set_down(down));
        }
    }

    /// Tells those who listen at other nodes what was published at one.
    pub(super) fn spread(&self, at: &Arc<Instance>, published: &[(Vec<u8>, Vec<u8>)]) {
        if published.is_empty() {
            return;
        }
        let all = (0..self.nodes()).map(|number| self.primary(number));
        for other in all.filter(|other| !Arc::ptr_eq(other, at)) {
            let told = {
                let mut redis = other.redis();
                for (channel, message) in published {
                    redis.hear(channel, message);
                }
                redis.told()
            };
            other.tell(told);
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.0.account
    }

    pub(super) fn mood(&self) -> &Mood {
        &self.0.mood
    }

    fn run_id(&self) -> u64 {
        self.0.random.within(0..u64::MAX)
    }
}
