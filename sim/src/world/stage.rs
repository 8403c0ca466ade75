//! Everybody in the world, and what brings them down and up again.

mod bodies;
mod store;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use russet::Client;
use russet_backends::memory::{Memory, MemoryQueue};
use russet_engine::{Backend, Clock, Entropy, Limits, Queue, Store};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::aws::{self, Services};
use super::deliveries::Deliveries;
use super::disk::Disk;
use super::ledger::Ledger;
use super::net::Net;
use super::node::{self, NodeSetting};
use super::node_store::NodeStore;
use super::redis::{self, RedisServer};
use super::remote::Remote;
use super::server::{Mood, Server};
use super::time::NodeClock;
use super::transport::ToNodes;
use super::worker;
use crate::history::{Actor, Journal};
use crate::plan::{Plan, Random, WorldKind};
use bodies::Bodies;

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
    /// The server, in the `redis` world.
    pub redis: RedisServer,
    /// The services, in the `sqs` world.
    pub services: Services,
    /// The nodes' clocks.
    pub clocks: Vec<Arc<NodeClock>>,
    /// No more faults.
    pub healed: Arc<AtomicBool>,
    bodies: Bodies,
    memory: Arc<Memory>,
    apart: Arc<MemoryQueue>,
    serving: Mutex<Option<Server>>,
    /// Held by whoever looks.
    looking: tokio::sync::Mutex<()>,
    starts: Mutex<u64>,
}

impl std::ops::Deref for Stage {
    type Target = Everybody;

    fn deref(&self) -> &Everybody {
        &self.0
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
        let bodies = Bodies::new(deaths);
        let right: Arc<dyn Clock> = Arc::new(NodeClock::right());
        let healed = Arc::new(AtomicBool::new(false));
        let killer = bodies.clone();
        let kill = Box::new(move |actor| killer.kill(actor));
        let mood = Arc::new(Mood::new(&plan, journal.clone(), kill));
        let ledger = Ledger::new(journal.clone());
        let stage = Self(Arc::new(Everybody {
            net: Net::new(&plan, journal.clone(), process("network")),
            services: Services::new(plan.clone(), ledger.clone(), mood.clone()),
            redis: RedisServer::new(&plan, ledger.clone(), mood.clone()),
            deliveries: Deliveries::new(journal.clone()),
            ledger,
            mood,
            disk: Disk::new(Random::new(plan.seed, 5)),
            clocks: clocks(&plan),
            memory: Memory::new(plan.partitions, right.clone()),
            apart: store::queue_apart(&plan, right, journal.clone(), healed.clone()),
            serving: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
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
        self.primaries()
            .chain(queue)
            .chain((0..healthy).map(Actor::Node))
            .chain((0..self.plan.workers.len() as u8).map(Actor::Worker))
            .collect()
    }

    /// The store: several when it is a cluster.
    pub fn primaries(&self) -> impl Iterator<Item = Actor> {
        redis::primaries(self.plan.cluster)
    }

    /// Whether somebody is up.
    pub fn is_up(&self, actor: Actor) -> bool {
        self.bodies.lock().contains_key(&actor)
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
            Actor::Shard(_) => self.redis.clone().run(self.net.clone(), actor).await,
            Actor::Queue if self.plan.world.has_sqs() => {
                self.services.clone().run(self.net.clone(), actor).await;
            }
            Actor::Queue => {
                let server = self.server(self.memory.clone(), self.apart.clone());
                server.run(self.net.clone(), actor).await;
            }
            Actor::Node(n) => {
                let setting = NodeSetting {
                    actor,
                    clock: self.clocks[usize::from(n)].clone(),
                    random: self.fresh(10_000),
                    backend: self.backend(actor, &self.clocks[usize::from(n)]).await,
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

    /// What a node reaches the store and the queue with.
    async fn backend(&self, node: Actor, clock: &Arc<NodeClock>) -> Backend {
        let (store, queue) = self.adapters(node, clock).await;
        let ledger = self.ledger.clone();
        Backend {
            store: NodeStore::of(store, &self.plan, node, ledger),
            queue,
        }
    }

    async fn adapters(
        &self,
        node: Actor,
        clock: &Arc<NodeClock>,
    ) -> (Arc<dyn Store>, Arc<dyn Queue>) {
        let (net, plan) = (self.net.clone(), &self.plan);
        let queue = async || {
            let random = self.fresh(40_000);
            aws::open_queue(&net, node, &self.services, clock.clone(), random).await
        };
        match plan.world {
            WorldKind::Redis => {
                let redis = redis::open(&net, node, plan, clock.clone()).await;
                (redis.clone(), redis)
            }
            WorldKind::SqsRedis => {
                let redis = redis::open(&net, node, plan, clock.clone()).await;
                (redis, queue().await)
            }
            WorldKind::Sqs => {
                let (partitions, random) = (plan.partitions, self.fresh(30_000));
                let opened = aws::open_store(&net, node, partitions, clock.clone(), random);
                (opened.await, queue().await)
            }
            WorldKind::Memory | WorldKind::Embedded => {
                let remote = Remote::new(net, node, plan.partitions, self.limits(), plan.split);
                (remote.clone(), remote)
            }
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
            transaction: self.plan.transaction_of(own.transaction),
            is_far: self.plan.far,
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
