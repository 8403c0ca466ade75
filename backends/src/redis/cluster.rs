use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use russet_core::planted;
use tokio::sync::Notify;

use super::call::{CallError, Reason, Refusal};
use super::dialer::{Dialer, text};
use super::info::Info;
use super::link::Link;
use super::options::Address;
use super::slots::{Owned, SLOTS, read_owned, read_redirect};
use crate::limits::{REDIS_ASKED_AT_ONCE, REDIS_BACKOFF_MAX, REDIS_CLUSTER_NODES, REDIS_TOPOLOGY};

/// A server, or a node of a cluster, and the connections to it.
pub(crate) struct Node {
    pub(crate) dialer: Arc<Dialer>,
    links: Vec<Link>,
    /// For commits that wait for a replica, if they do: nothing else stands behind them.
    waiting: Vec<Link>,
}

/// How many connections there are to a server, or to each node of a cluster.
#[derive(Clone, Copy)]
pub(crate) struct Connections {
    /// That calls share.
    pub(crate) shared: usize,
    /// That commits share which wait for a replica; 0 if none do.
    pub(crate) waiting: usize,
}

impl Node {
    pub(crate) fn new(dialer: Arc<Dialer>, connections: Connections) -> Arc<Self> {
        let links = std::iter::repeat_with(|| Link::new(dialer.clone()));
        let links = links.take(connections.shared).collect();
        let waiting = std::iter::repeat_with(|| Link::waiting(dialer.clone()));
        let waiting = waiting.take(connections.waiting).collect();
        Arc::new(Self {
            dialer,
            links,
            waiting,
        })
    }

    /// One of the connections: always the same one of the same number.
    pub(crate) fn link(&self, number: usize) -> &Link {
        &self.links[number % self.links.len()]
    }

    /// One of the connections for commits, likewise.
    pub(crate) fn commits(&self, number: usize) -> &Link {
        match self.waiting.len() {
            0 => self.link(number),
            count => &self.waiting[number % count],
        }
    }
}

/// A cluster, as far as it is known which node has which slot.
pub(crate) struct Cluster {
    dialer: Arc<Dialer>,
    connections: Connections,
    /// Nodes that are asked when none of the known ones answers.
    seeds: Vec<Address>,
    map: Mutex<Map>,
    /// Something was found to be otherwise than known.
    doubted: Notify,
}

#[derive(Default)]
struct Map {
    /// By slot; empty before the first answer.
    owners: Vec<Option<Arc<Node>>>,
    nodes: BTreeMap<Address, Arc<Node>>,
    /// Whose turn it is among nodes that serve as well as one another.
    turn: usize,
}

impl Cluster {
    pub(crate) fn new(dialer: Arc<Dialer>, connections: Connections, seeds: Vec<Address>) -> Self {
        Self {
            dialer,
            connections,
            seeds,
            map: Mutex::default(),
            doubted: Notify::new(),
        }
    }

    /// The node that has the slot, if any is known to.
    pub(crate) fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        self.lock().owners.get(usize::from(slot))?.clone()
    }

    /// All nodes that have a slot, another one first each time.
    pub(crate) fn owners(&self) -> Vec<Arc<Node>> {
        let mut map = self.lock();
        let mut owners: Vec<_> = map.owners.iter().flatten().collect();
        owners.dedup_by(|a, b| Arc::ptr_eq(a, b));
        owners.sort_by_key(|node| &node.dialer.node);
        owners.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let mut owners: Vec<_> = owners.into_iter().cloned().collect();
        map.turn = map.turn.wrapping_add(1);
        let first = map.turn.checked_rem(owners.len()).unwrap_or_default();
        owners.rotate_left(first);
        owners
    }

    /// The slots of a node, for people to read.
    pub(crate) fn slots_of(&self, node: &Arc<Node>) -> String {
        let map = self.lock();
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (slot, owner) in map.owners.iter().enumerate() {
            if !owner.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, node)) {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        let ranges = ranges.iter().map(|(first, last)| format!("{first}-{last}"));
        ranges.collect::<Vec<_>>().join(", ")
    }

    /// What is known may be wrong.
    pub(crate) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Where a call on the slot is to go that `asked` answered with this error, and whether that
    /// holds for this call only. `None` when it is not to be sent again.
    pub(crate) fn heed(
        &self,
        slot: u16,
        asked: Option<&Node>,
        error: &CallError,
    ) -> Option<(Arc<Node>, bool)> {
        let refusal = match error {
            CallError::Refused(refusal) => refusal,
            CallError::Unreachable(_) | CallError::Lost(_) | CallError::Late(_) => {
                self.doubt();
                return None;
            }
            CallError::Strange(_) => return None,
        };
        match refusal.reason {
            Reason::Moved if planted!(RedisMovedIgnored) => None,
            Reason::Moved | Reason::Ask => {
                let asked = asked?.dialer.node.as_ref()?;
                let address = read_redirect(asked, &refusal.why)?;
                let mut map = self.lock();
                let node = self.node(&mut map, &address);
                let once = refusal.reason == Reason::Ask;
                if !once && let Some(owner) = map.owners.get_mut(usize::from(slot)) {
                    *owner = Some(node.clone());
                    self.doubt();
                }
                Some((node, once))
            }
            Reason::NotPrimary | Reason::Down => {
                self.doubt();
                None
            }
            _ => None,
        }
    }

    /// Asks again whenever what is known is doubted.
    pub(crate) async fn keep_learning(&self) {
        loop {
            self.doubted.notified().await;
            let pause = match self.learn().await {
                Ok(true) => REDIS_TOPOLOGY,
                Ok(false) => REDIS_BACKOFF_MAX,
                Err((node, error)) => {
                    tracing::debug!(%node, %error, "no node says which one has which slot");
                    self.doubt();
                    REDIS_BACKOFF_MAX
                }
            };
            self.dialer.clock.sleep(pause).await;
        }
    }

    /// Asks the nodes until one says which has which slot; whether that is news. What fails is
    /// said of one of them.
    pub(crate) async fn learn(&self) -> Result<bool, (String, CallError)> {
        let mut failed = None;
        for some in self.candidates().chunks(REDIS_ASKED_AT_ONCE) {
            let asked = some.iter().map(async |node| (node, self.ask(node).await));
            let mut answers: FuturesUnordered<_> = asked.collect();
            while let Some((node, answer)) = answers.next().await {
                let error = match answer {
                    Ok(owned) => return Ok(self.replace(&owned)),
                    Err(error) => error,
                };
                // What a node says is better advice than that another one is silent.
                if failed.is_none() || error.reason().is_some() {
                    failed = Some((node.to_string(), error));
                }
            }
        }
        Err(failed.unwrap_or_else(|| {
            let why = "no node of the cluster is named".to_owned();
            (self.dialer.describe(), CallError::Unreachable(why))
        }))
    }

    /// Whom to ask: those that are known to have slots, then those of the settings.
    fn candidates(&self) -> Vec<Address> {
        let owners = self.owners();
        let known = owners.iter().filter_map(|node| node.dialer.node.as_ref());
        let mut candidates: Vec<Address> = Vec::new();
        for address in known.chain(&self.seeds) {
            if !candidates.contains(address) {
                candidates.push(address.clone());
            }
        }
        candidates
    }

    async fn ask(&self, node: &Address) -> Result<Vec<Owned>, CallError> {
        let dialer = self.dialer.to(node);
        let (mut connection, _running) = dialer.dial(None).await?;
        let mut commands = redis::pipe();
        for what in ["INFO", "SLOTS"] {
            commands.cmd("CLUSTER").arg(what);
        }
        let sent = connection.send_packed_commands(&commands, 0, commands.len());
        let mut answers = dialer.bounded(sent).await?.into_iter();
        let info = Info::read(&text(answers.next().unwrap_or_default())?);
        // One that is cut off from the others knows only what was.
        match info.field("cluster_state") {
            Some("ok") => read_owned(node, answers.next().unwrap_or_default()),
            state => Err(CallError::Refused(Refusal::new(&format!(
                "CLUSTERDOWN cluster_state is {}: every slot needs a primary that runs",
                state.unwrap_or("unknown")
            )))),
        }
    }

    /// Takes in what a node said; whether it is news.
    fn replace(&self, owned: &[Owned]) -> bool {
        let mut map = self.lock();
        let mut owners: Vec<Option<Arc<Node>>> = vec![None; usize::from(SLOTS)];
        for (slots, address) in owned {
            let node = self.node(&mut map, address);
            for slot in slots.clone() {
                owners[usize::from(slot)] = Some(node.clone());
            }
        }
        let pointers = |owners: &[Option<Arc<Node>>]| -> Vec<Option<*const Node>> {
            let pointer = |owner: &Option<Arc<Node>>| owner.as_ref().map(Arc::as_ptr);
            owners.iter().map(pointer).collect()
        };
        let is_news = pointers(&owners) != pointers(&map.owners);
        map.owners = owners;
        if map.nodes.len() > REDIS_CLUSTER_NODES {
            map.nodes.retain(|_, node| Arc::strong_count(node) > 1);
        }
        is_news
    }

    fn node(&self, map: &mut Map, address: &Address) -> Arc<Node> {
        if let Some(node) = map.nodes.get(address) {
            return node.clone();
        }
        let node = Node::new(self.dialer.to(address), self.connections);
        map.nodes.insert(address.clone(), node.clone());
        node
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
