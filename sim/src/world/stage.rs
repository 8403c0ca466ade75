//! Everybody in the world, and what brings them down and up again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::task::NodeId;
use russet::Client;
use russet_backends::embedded::{Embedded, EmbeddedOptions, Writer};
use russet_backends::memory::{Fate, Memory, MemoryQueue};
use russet_engine::{Clock, Entropy, Limits, Queue, Store};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::deliveries::Deliveries;
use super::disk::Disk;
use super::ledger::Ledger;
use super::net::Net;
use super::node::{self, NodeSetting};
use super::server::{Mood, Server};
use super::time::{NodeClock, now};
use super::transport::ToNodes;
use super::worker;
use crate::history::{Actor, Fault, FaultKind, Journal, What};
use crate::plan::{Plan, Random, WorldKind};

/// Memory for pages of the simulated disk.
const CACHE_BYTES: usize = 4 << 20;

/// Everybody. Clones are the same.
#[derive(Clone)]
pub struct Stage(Arc<Everybody>);

/// What [`Stage`] shares.
pub struct Everybody {
    /// What is to happen.
    pub plan: Arc<Plan>,
    /// What happened.
    pub journal: Journal,
    /// The network.
    pub net: Net,
    /// What was committed.
    pub ledger: Ledger,
    /// What was delivered.
    pub deliveries: Deliveries,
    /// How the store misbehaves.
    pub mood: Arc<Mood>,
    /// The store's disk, in the `embedded` world.
    pub disk: Disk,
    /// The nodes' clocks.
    pub clocks: Vec<Arc<NodeClock>>,
    /// No more faults.
    pub healed: Arc<AtomicBool>,
    bodies: Bodies,
    memory: Arc<Memory>,
    apart: Arc<MemoryQueue>,
    serving: Mutex<Option<Server>>,
    starts: Mutex<u64>,
}

impl std::ops::Deref for Stage {
    type Target = Everybody;

    fn deref(&self) -> &Everybody {
        &self.0
    }
}

/// The processes that run, by actor; and where deaths are told.
#[derive(Clone)]
struct Bodies {
    alive: Arc<Mutex<BTreeMap<Actor, NodeId>>>,
    deaths: mpsc::UnboundedSender<Actor>,
}

impl Bodies {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Actor, NodeId>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills a process, wherever it awaits.
    fn kill(&self, actor: Actor) {
        if let Some(node) = self.lock().remove(&actor) {
            Handle::current().kill(node);
            // When the world has ended, nobody is started again.
            let _ = self.deaths.send(actor);
        }
    }
}

/// Together with its offset a drift stays within half of the bound.
fn clocks(plan: &Plan) -> Vec<Arc<NodeClock>> {
    let most = plan.max_clock_skew_ms as i64 / 4;
    let clocks = plan.clocks.iter();
    clocks.map(|c| Arc::new(NodeClock::new(*c, most))).collect()
}

fn process(name: &str) -> NodeHandle {
    Handle::current().create_node().name(name).build()
}

impl Stage {
    /// Sets the stage; nobody runs yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        let journal = Journal::default();
        let (deaths, told) = mpsc::unbounded_channel();
        let bodies = Bodies {
            alive: Arc::default(),
            deaths,
        };
        let right: Arc<dyn Clock> = Arc::new(NodeClock::right());
        let healed = Arc::new(AtomicBool::new(false));
        let killer = bodies.clone();
        let kill = Box::new(move |actor| killer.kill(actor));
        let stage = Self(Arc::new(Everybody {
            net: Net::new(&plan, journal.clone(), process("network")),
            ledger: Ledger::new(journal.clone()),
            deliveries: Deliveries::new(journal.clone()),
            mood: Arc::new(Mood::new(&plan, journal.clone(), kill)),
            disk: Disk::new(Random::new(plan.seed, 5)),
            clocks: clocks(&plan),
            memory: Memory::new(plan.partitions, right.clone()),
            apart: queue_apart(&plan, right, journal.clone(), healed.clone()),
            serving: Mutex::default(),
            starts: Mutex::default(),
            healed,
            bodies,
            journal,
            plan,
        }));
        tokio::spawn(undertake(stage.clone(), told));
        stage
    }

    /// Everybody who can be up, but not those who are to stay down after the heal.
    pub fn cast(&self) -> Vec<Actor> {
        let nodes = self.plan.clocks.len() as u8;
        let healthy = match self.healed.load(Ordering::Relaxed) {
            true => nodes - self.plan.broken.min(nodes - 1),
            false => nodes,
        };
        let queue = self.plan.split.then_some(Actor::Queue);
        [Actor::Store]
            .into_iter()
            .chain(queue)
            .chain((0..healthy).map(Actor::Node))
            .chain((0..self.plan.workers.len() as u8).map(Actor::Worker))
            .collect()
    }

    /// Starts everybody who is not up, and stops those who are to stay down.
    pub fn start_everybody(&self) {
        let cast = self.cast();
        let up: Vec<_> = self.bodies.lock().keys().copied().collect();
        for actor in up {
            match cast.contains(&actor) {
                true => self.resume(actor),
                false => self.kill(actor),
            }
        }
        cast.into_iter().for_each(|actor| self.start(actor));
    }

    /// Kills somebody, wherever it awaits.
    pub fn kill(&self, actor: Actor) {
        if actor == Actor::Store {
            self.serving
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            self.disk.abandon();
        }
        self.bodies.kill(actor);
    }

    /// Lets somebody stand still.
    pub fn pause(&self, actor: Actor) {
        if let Some(node) = self.bodies.lock().get(&actor) {
            Handle::current().pause(*node);
        }
    }

    /// Lets somebody go on.
    pub fn resume(&self, actor: Actor) {
        if let Some(node) = self.bodies.lock().get(&actor) {
            Handle::current().resume(*node);
        }
    }

    /// Starts somebody who is not up.
    pub fn start(&self, actor: Actor) {
        if self.bodies.lock().contains_key(&actor) {
            return;
        }
        let process = process(&actor.to_string());
        self.bodies.lock().insert(actor, process.id());
        let stage = self.clone();
        process.spawn(async move { stage.act(actor).await });
    }

    async fn act(&self, actor: Actor) {
        match actor {
            Actor::Store => self.act_store().await,
            Actor::Queue => {
                let server = self.server(self.memory.clone(), self.apart.clone());
                server.run(self.net.clone(), actor).await;
            }
            Actor::Node(n) => {
                let setting = NodeSetting {
                    actor,
                    clock: self.clocks[usize::from(n)].clone(),
                    random: self.fresh(10_000),
                    limits: self.limits(),
                };
                let (net, journal) = (self.net.clone(), self.journal.clone());
                node::run(setting, &self.plan, net, journal).await;
            }
            Actor::Worker(n) => {
                let plan = &self.plan.workers[usize::from(n)];
                let client = self.client(actor, 20_000);
                let (journal, healed) = (self.journal.clone(), self.healed.clone());
                let bodies = self.bodies.clone();
                let kill = Arc::new(move |actor| bodies.kill(actor));
                worker::run(client, actor, plan, journal, healed, kill).await;
            }
            Actor::Client(_) => {}
        }
    }

    async fn act_store(&self) {
        let (store, own): (Arc<dyn Store>, Arc<dyn Queue>) = match self.plan.world {
            WorldKind::Memory => (self.memory.clone(), self.memory.clone()),
            WorldKind::Embedded => match self.open() {
                Some(embedded) => (embedded.clone(), embedded),
                None => return self.kill(Actor::Store),
            },
        };
        if self.ledger.settle(store.as_ref()).await.is_err() {
            return self.kill(Actor::Store);
        }
        let queue = match self.plan.split {
            true => self.apart.clone(),
            false => own,
        };
        let server = self.server(store, queue);
        let serving = Some(server.clone());
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = serving;
        self.look().await;
        server.run(self.net.clone(), Actor::Store).await;
    }

    /// Opens the embedded store; `None` when the power fails meanwhile.
    fn open(&self) -> Option<Arc<Embedded>> {
        let options = EmbeddedOptions {
            partitions: Some(self.plan.partitions),
            cache_bytes: CACHE_BYTES,
            writer: Writer::Caller,
        };
        let clock = Arc::new(NodeClock::right());
        let boot = self.disk.boot();
        match Embedded::with_backend(boot, options, clock) {
            Ok(embedded) => Some(embedded),
            Err(_) if self.disk.has_failed() => None,
            Err(error) => panic!("the store does not open after a crash: {error}"),
        }
    }

    fn server(&self, store: Arc<dyn Store>, queue: Arc<dyn Queue>) -> Server {
        Server {
            store,
            queue,
            ledger: self.ledger.clone(),
            deliveries: self.deliveries.clone(),
            mood: self.mood.clone(),
        }
    }

    /// Looks at everything that the store says of itself, when it is up.
    pub async fn look(&self) {
        let serving = self
            .serving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(server) = serving {
            let queue = (!self.plan.split).then_some(server.queue.as_ref());
            // A store whose disk has failed is looked at when it is up again.
            let _ = self.ledger.look(server.store.as_ref(), queue).await;
        }
    }

    /// A client that speaks as `own` to the nodes.
    pub fn client(&self, own: Actor, purpose: u64) -> Client {
        let nodes = self.plan.clocks.len() as u8;
        let (net, journal) = (self.net.clone(), self.journal.clone());
        let transport = ToNodes::new(net, journal, own, nodes, self.fresh(purpose));
        let entropy: Arc<dyn Entropy> = Arc::new(self.fresh(purpose));
        match Client::over(transport, "http://nodes", entropy) {
            Ok(client) => client,
            Err(error) => panic!("the address of the nodes is refused: {error}"),
        }
    }

    /// The names of all queues.
    pub fn queues(&self) -> Vec<String> {
        let served = self.plan.workers.iter().flat_map(|worker| &worker.queues);
        let most = served.max().copied().unwrap_or(0);
        (0..=most).map(Plan::queue).collect()
    }

    fn limits(&self) -> Limits {
        let own = self.memory.limits();
        Limits {
            transaction_changes: self
                .plan
                .transaction_changes
                .unwrap_or(own.transaction_changes),
            ..own
        }
    }

    /// Chance for one more start of somebody.
    fn fresh(&self, purpose: u64) -> Random {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        *starts += 1;
        Random::new(self.plan.seed, purpose + (*starts << 20))
    }
}

/// Starts those who have died again, after a while.
async fn undertake(stage: Stage, mut told: mpsc::UnboundedReceiver<Actor>) {
    let random = Random::new(stage.plan.seed, 6);
    while let Some(actor) = told.recv().await {
        let down = Duration::from_millis(random.within(20..4_000));
        let stage = stage.clone();
        tokio::spawn(async move {
            sleep(down).await;
            if stage.cast().contains(&actor) {
                stage.start(actor);
            }
        });
    }
}

/// The queue of a split pair, which loses and duplicates as planned.
fn queue_apart(
    plan: &Plan,
    clock: Arc<dyn Clock>,
    journal: Journal,
    healed: Arc<AtomicBool>,
) -> Arc<MemoryQueue> {
    let random = Random::new(plan.seed, 7);
    let lost = plan.rate(FaultKind::MessageLost);
    let twice = plan.rate(FaultKind::MessageDuplicated);
    MemoryQueue::with_fate(clock, move |_| {
        if healed.load(Ordering::Relaxed) {
            return Fate::Delivered;
        }
        let (kind, fate) = match (random.in_a_million(lost), random.in_a_million(twice)) {
            (true, _) => (FaultKind::MessageLost, Fate::Lost),
            (_, true) => (FaultKind::MessageDuplicated, Fate::Duplicated),
            _ => return Fate::Delivered,
        };
        let whom = Actor::Queue;
        journal.write(now(), What::Fault(Fault { kind, whom }));
        fate
    })
}
