//! Several schedulers on one store, under a clock that tokio's paused time drives.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::embedded::{Embedded, EmbeddedOptions, Writer};
use russet_backends::memory::{Memory, MemoryQueue};
use russet_engine::core::*;
use russet_engine::*;
use tempfile::TempDir;

use crate::faulty::{Faults, Faulty};

/// Random bits from a seed (SplitMix64).
pub struct Seeded(AtomicU64);

impl Seeded {
    /// Bits that nobody with another seed gets: versions must not come back.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(mixed(seed)))
    }
}

impl Entropy for Seeded {
    fn next_u64(&self) -> u64 {
        mixed(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Tokio's own time, which tests pause: it jumps ahead whenever everybody waits.
pub struct TokioClock(pub tokio::time::Instant);

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + self.0.elapsed().as_millis() as u64)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Which store is under test.
#[derive(Clone, Copy)]
#[allow(dead_code)]
pub enum StoreKind {
    Memory,
    Embedded,
}

/// A store that is its own queue. The embedded one is kept in `directory`, and written to by
/// whoever commits: a thread of its own would not know of the paused time.
fn open(
    kind: StoreKind,
    partitions: u16,
    clock: Arc<dyn Clock>,
    directory: &Path,
) -> (Arc<dyn Store>, Arc<dyn Queue>) {
    match kind {
        StoreKind::Memory => {
            let memory = Memory::new(partitions, clock);
            (memory.clone(), memory)
        }
        StoreKind::Embedded => {
            let options = EmbeddedOptions {
                partitions: Some(partitions),
                writer: Writer::Caller,
                ..EmbeddedOptions::default()
            };
            let embedded = Embedded::open(directory, options, clock).expect("opens");
            (embedded.clone(), embedded)
        }
    }
}

pub struct World {
    pub nodes: Vec<Scheduler>,
    pub store: Arc<Faulty>,
    pub queue: Arc<dyn Queue>,
    pub clock: Arc<dyn Clock>,
    pub recordings: Arc<Recordings>,
    pub account: Arc<Account>,
    seed: u64,
    _directory: TempDir,
}

/// Every decision of every node.
#[derive(Default)]
pub struct Recordings(pub Mutex<Vec<Recorded>>);

impl Recorder for Recordings {
    fn record(&self, recorded: Recorded) {
        self.0.lock().expect("lock").push(recorded);
    }
}

/// Every event that any node committed.
#[derive(Default)]
pub struct Account(Mutex<Vec<Event>>);

impl Observer for Account {
    fn observe(&self, events: &[Event]) {
        self.0.lock().expect("lock").extend_from_slice(events);
    }
}

impl Account {
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().expect("lock").clone()
    }

    /// What happened to one task, in order.
    pub fn of(&self, id: TaskId) -> Vec<EventKind> {
        let events = self.events();
        let own = events.iter().filter(|event| event.task == id);
        own.map(|event| event.kind).collect()
    }
}

pub struct Plan {
    pub nodes: usize,
    pub partitions: u16,
    pub split: bool,
    pub faults: Faults,
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            nodes: 2,
            partitions: 1,
            split: false,
            faults: Faults::default(),
            seed: 1,
        }
    }
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(tokio::time::Instant::now()));
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let (store, own_queue) = open(crate::STORE, plan.partitions, clock.clone(), path);
        let queue: Arc<dyn Queue> = match plan.split {
            true => MemoryQueue::new(clock.clone()),
            false => own_queue,
        };
        let store = Faulty::new(store, plan.faults, plan.seed);
        let mut world = Self {
            nodes: Vec::new(),
            store,
            queue,
            clock,
            recordings: Arc::default(),
            account: Arc::default(),
            seed: plan.seed,
            _directory: directory,
        };
        for _ in 0..plan.nodes {
            world.start_node();
        }
        world
    }

    pub fn start_node(&mut self) {
        self.seed += 1;
        let backend = Backend {
            store: self.store.clone(),
            queue: self.queue.clone(),
        };
        let entropy = Arc::new(Seeded::new(self.seed));
        let recorder: Arc<dyn Recorder> = self.recordings.clone();
        let configuration = Configuration {
            recorder: Some(recorder),
            observers: vec![self.account.clone()],
            ..Configuration::default()
        };
        self.nodes.push(Scheduler::start(
            backend,
            configuration,
            self.clock.clone(),
            entropy,
        ));
    }

    pub fn node(&self, at: usize) -> &Scheduler {
        &self.nodes[at % self.nodes.len()]
    }

    pub fn task(&self) -> NewTask {
        self.task_with(self.node(0).new_task_id(None, None))
    }

    pub fn task_with(&self, id: TaskId) -> NewTask {
        NewTask::new(id, kind(), queue(), b"{}".as_slice().into())
    }

    pub async fn submit(&self, task: NewTask) -> TaskId {
        let id = task.id;
        let submitted = self.nodes[0].submit(one(task)).await.expect("submit");
        assert_eq!(submitted.tasks, [id]);
        id
    }

    pub async fn get(&self, id: TaskId) -> Arc<Task> {
        for _ in 0..100 {
            if let Ok(found) = self.nodes[0].get(id).await {
                return found.expect("the task exists");
            }
        }
        panic!("the store never answers")
    }

    pub async fn any_live(&self, ids: &[TaskId]) -> bool {
        for id in ids {
            if !self.get(*id).await.status.is_terminal() {
                return true;
            }
        }
        false
    }

    /// A few ready tasks, if there are some soon and the store gives them.
    pub async fn lease_some(&self, at: usize) -> Vec<Arc<Task>> {
        let request = lease("w", 10, Duration::from_secs(1));
        self.node(at).lease(request).await.unwrap_or_default()
    }

    /// Leases and completes until the tasks have ended, on all nodes in turn; returns every
    /// completion that was accepted.
    pub async fn work(&self, expected: usize) -> Vec<TaskId> {
        let workers = self.nodes.iter().enumerate().map(|(at, node)| {
            let (node, worker) = (node.clone(), format!("worker-{at}"));
            tokio::spawn(async move { drain(&node, &worker).await })
        });
        let workers: Vec<_> = workers.collect();
        let mut completed = Vec::new();
        for worker in workers {
            completed.extend(worker.await.expect("worker"));
        }
        completed.sort();
        assert_eq!(completed.len(), expected);
        completed
    }
}

/// Works until nothing became ready for long.
async fn drain(node: &Scheduler, worker: &str) -> Vec<TaskId> {
    let mut completed = Vec::new();
    loop {
        let leased = match node.lease(lease(worker, 10, Duration::from_secs(60))).await {
            Ok(leased) if leased.is_empty() => return completed,
            Ok(leased) => leased,
            Err(_) => continue,
        };
        for task in leased {
            if let Ok(now) = complete(node, &task).await {
                assert_eq!(now.status, Status::Succeeded);
                completed.push(task.id);
            }
        }
    }
}

pub async fn complete(node: &Scheduler, task: &Task) -> Result<TaskNow, EngineError> {
    let lease = task.lease.as_ref().expect("a leased task has a lease").id;
    for _ in 0..20 {
        let complete = Complete {
            task: task.id,
            lease,
            result: None,
            follow_ups: Vec::new(),
            progress: None,
        };
        match node.complete(complete).await {
            Err(EngineError::Store(_)) => {}
            other => return other,
        }
    }
    panic!("the store never answers")
}

pub fn lease(worker: &str, max: usize, wait: Duration) -> LeaseRequest {
    LeaseRequest {
        queues: vec![queue()],
        worker: WorkerId(worker.into()),
        capacity: None,
        max,
        duration: None,
        wait,
    }
}

pub fn one(task: NewTask) -> Submit {
    Submit {
        workflow: None,
        tasks: vec![task],
    }
}

pub fn kind() -> TaskType {
    TaskType::new("test").expect("a name")
}

pub fn queue() -> QueueName {
    QueueName::new("default").expect("a name")
}
