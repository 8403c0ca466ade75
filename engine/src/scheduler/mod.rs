//! The asynchronous shell around `core`: any number of schedulers may work on one store.

mod announce;
mod cancel;
mod committer;
mod damage;
mod family;
mod ids;
mod intake;
mod lease;
mod list;
mod read;
mod recent;
mod redrive;
mod relay;
mod slots;
mod submit;
mod timers;
mod weight;
mod whole;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use futures::future::join_all;
use russet_core::{
    Campaign, Command, IdempotencyKey, LeaseId, Millis, NodeId, PartitionId, PartitionKey,
    QueueConfig, TaskId, Timestamp, WorkflowId, policy,
};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;

pub use cancel::CancelledWorkflow;
pub use ids::TaskIds;
pub use lease::LeaseRequest;
pub use read::QueueView;
pub use redrive::RedrivenWorkflow;
pub use submit::Submitted;
pub use write::{Extended, TaskNow};

use crate::events::Events;
use crate::{Clock, Entropy, EventStream, Observer, Queue, Recorder, Store, Workers, limits};
use committer::Claims;
use damage::Damage;
use intake::Intake;
use recent::Recent;
use slots::Unlimited;
use timers::Alarm;

/// The store and the queue that a scheduler works on.
#[derive(Clone)]
pub struct Backend {
    /// The source of truth.
    pub store: Arc<dyn Store>,
    /// Announces ready tasks.
    pub queue: Arc<dyn Queue>,
}

/// How much could not be read; see [`Scheduler::unreadable`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// Records and index entries of the store.
    pub store: u64,
    /// Messages of the queue.
    pub queue: u64,
}

/// The name of the one node of a store that only one process can open: after a restart it
/// leads again at once.
pub const ONLY_NODE: NodeId = NodeId::from_u128(1);

/// How a scheduler behaves.
#[derive(Clone)]
pub struct Configuration {
    /// The node's identity, drawn at random when absent; see [`ONLY_NODE`].
    pub node: Option<NodeId>,
    /// How far the clocks of two nodes may be apart; another node's lease is expired only
    /// this much later.
    pub max_clock_skew: Millis,
    /// How queues that were never configured treat their tasks.
    pub queue_defaults: QueueConfig,
    /// Who is told of every event.
    pub observers: Vec<Arc<dyn Observer>>,
    /// Who keeps every decision, to replay it; nobody as a rule.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            node: None,
            max_clock_skew: Millis::ZERO,
            queue_defaults: QueueConfig::default(),
            observers: Vec::new(),
            recorder: None,
        }
    }
}

/// A node: serves commands, fires timers and relays messages. Clones are the same node.
#[derive(Clone)]
pub struct Scheduler {
    node: Arc<Node>,
}

/// What all parts of a node share.
pub(crate) struct Node {
    id: NodeId,
    backend: Backend,
    configuration: Configuration,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    events: Events,
    /// Marked whenever a queue may have room for more running tasks.
    room: watch::Sender<()>,
    seen: Workers,
    damage: Damage,
    partitions: Vec<Partition>,
    /// The partition that is asked first what holds for all of them: the last that answered.
    answering: AtomicU16,
    stopping: AtomicBool,
    stopped: Notify,
    /// A part of the node has met a broken invariant.
    broken: watch::Sender<bool>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// What a node keeps of one partition.
pub(crate) struct Partition {
    id: PartitionId,
    ids: TaskIds,
    intake: Intake,
    alarm: Alarm,
    recent: Recent,
    unlimited: Unlimited,
    claims: Claims,
    /// Until when this node leads it, in milliseconds.
    leads_until: AtomicU64,
}

impl Partition {
    fn leads_until(&self) -> Timestamp {
        Timestamp::from_millis(self.leads_until.load(Ordering::Relaxed))
    }

    fn lead_until(&self, until: Timestamp) {
        self.leads_until.store(until.as_millis(), Ordering::Relaxed);
    }
}

impl Scheduler {
    /// Starts a node. Must be called inside a tokio runtime.
    pub fn start(
        backend: Backend,
        configuration: Configuration,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let count = backend.store.partitions();
        let recent_bytes = match backend.store.limits().is_far {
            true => limits::RECENT_BYTES / usize::from(count.max(1)),
            false => 0,
        };
        let commits = committer::commits(backend.store.as_ref());
        let queues = limits::QUEUES_REMEMBERED / usize::from(count.max(1));
        let (intakes, mailboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| Intake::new()).unzip();
        let partitions = (0..count).zip(intakes).map(|(id, intake)| Partition {
            id: PartitionId(id),
            ids: TaskIds::default(),
            intake,
            alarm: Alarm::new(),
            recent: Recent::new(recent_bytes),
            unlimited: Unlimited::new(&configuration.queue_defaults, queues),
            claims: Claims::new(commits),
            leads_until: AtomicU64::new(0),
        });
        let node = Arc::new(Node {
            id: configuration
                .node
                .unwrap_or_else(|| NodeId::from_u128(entropy.next_u128())),
            events: Events::new(configuration.observers.clone()),
            room: watch::Sender::new(()),
            seen: Workers::default(),
            damage: Damage::new(),
            partitions: partitions.collect(),
            answering: AtomicU16::new(0),
            backend,
            configuration,
            clock,
            entropy,
            stopping: AtomicBool::new(false),
            stopped: Notify::new(),
            broken: watch::Sender::new(false),
            workers: Mutex::new(Vec::new()),
        });
        let (outgoing, mut workers) = relay::start(&node);
        for (id, mailbox) in (0..count).zip(mailboxes) {
            let id = PartitionId(id);
            let mailbox = Arc::new(Mutex::new(mailbox));
            for _ in 0..commits {
                let committer = committer::run(node.clone(), id, mailbox.clone(), outgoing.clone());
                workers.push(whole::spawn(&node, committer));
            }
            let timers = timers::run(node.clone(), id, outgoing.clone());
            workers.push(whole::spawn(&node, timers));
        }
        if let Ok(mut known) = node.workers.try_lock() {
            *known = workers;
        }
        Self { node }
    }

    /// Stops the node: what was accepted is still decided, everything later is refused.
    pub async fn stop(&self) {
        self.node.stopping.store(true, Ordering::SeqCst);
        self.resign().await;
        for partition in &self.node.partitions {
            partition.intake.close();
            partition.alarm.ring();
        }
        self.node.stopped.notify_waiters();
        let workers = std::mem::take(&mut *self.node.workers.lock().await);
        join_all(workers).await;
    }

    /// Gives up what the node leads, so that another fires its timers at once, and not when the
    /// term is over.
    async fn resign(&self) {
        let node = self.node.as_ref();
        if node.id == ONLY_NODE {
            return;
        }
        let now = node.clock.now();
        let led = node.partitions.iter().filter(|own| own.leads_until() > now);
        let over = Campaign {
            node: node.id,
            term: Millis::ZERO,
        };
        let resign = led.map(|own| own.intake.call_one(Command::Campaign(over)));
        tokio::select! {
            biased;
            _ = join_all(resign) => {}
            () = node.clock.sleep(limits::RESIGN_PATIENCE) => {}
        }
    }

    /// The node's identity.
    pub fn node_id(&self) -> NodeId {
        self.node.id
    }

    /// The clock that the node works by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.node.clock.clone()
    }

    /// A new task id, in the partition that the idempotency key or else the partition key
    /// chooses, or in any.
    pub fn new_task_id(
        &self,
        idempotency_key: Option<&IdempotencyKey>,
        partition_key: Option<&PartitionKey>,
    ) -> TaskId {
        let key = idempotency_key
            .map(IdempotencyKey::as_str)
            .or(partition_key.map(PartitionKey::as_str));
        let partitions = self.partitions();
        let partition = match key {
            Some(key) => policy::partition_of_key(key, partitions),
            None => PartitionId((self.node.entropy.next_u64() % u64::from(partitions)) as u16),
        };
        self.new_task_id_in(partition)
    }

    /// A new task id in a partition, higher than all that this node made for it.
    pub fn new_task_id_in(&self, partition: PartitionId) -> TaskId {
        let (now, entropy) = (self.node.clock.now(), self.node.entropy.as_ref());
        match self.node.partition(partition) {
            Some(known) => known.ids.next(now, partition, entropy),
            None => TaskId::new(now, partition, entropy.next_u64()),
        }
    }

    /// A new workflow id; its tasks get theirs from [`Self::new_task_id_in`] its partition.
    pub fn new_workflow_id(
        &self,
        idempotency_key: Option<&IdempotencyKey>,
        partition_key: Option<&PartitionKey>,
    ) -> WorkflowId {
        self.new_task_id(idempotency_key, partition_key).into()
    }

    /// How many partitions the store has.
    pub fn partitions(&self) -> u16 {
        self.node.backend.store.partitions()
    }

    /// A new lease id.
    pub fn new_lease_id(&self) -> LeaseId {
        LeaseId::from_u128(self.node.entropy.next_u128())
    }

    /// Whether other nodes may work on the same store. Their workers are not known here.
    pub fn is_shared(&self) -> bool {
        self.node.backend.store.limits().is_far
    }

    /// Who asked this node for tasks lately.
    pub fn workers(&self) -> &Workers {
        &self.node.seen
    }

    /// How much this node has met that cannot be read, and left out for others to go on.
    pub fn unreadable(&self) -> Unreadable {
        let Backend { store, queue } = &self.node.backend;
        Unreadable {
            store: self.node.damage.met() + store.unreadable(),
            queue: queue.undecodable(),
        }
    }

    /// What this node does, from now on.
    pub fn events(&self) -> EventStream {
        self.node.events.subscribe()
    }

    /// What this node did from a commit on, by its number; `None` when no commit of this start of
    /// the node has that number, nor is it the next.
    pub fn events_from(&self, commit: u64) -> Option<EventStream> {
        self.node.events.subscribe_from(commit)
    }
}

impl Node {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(usize::from(id.0))
    }
}
