//! Two nodes on one open store, its writer in a thread of its own, in real time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use russet_backends::embedded::{Embedded, EmbeddedOptions};
use russet_core::{
    Complete, Dependency, DependencyOn, ErrorKind, Fail, Idempotency, IdempotencyKey, Millis,
    NewTask, PartitionId, QueueName, QueuePatch, Status, Submit, Task, TaskId, TaskType, Window,
    WorkerId,
};
use russet_engine::{Backend, Configuration, LeaseRequest, Scheduler, SystemClock, SystemEntropy};

/// Parents that fail once, each with a child in any partition.
const PAIRS: usize = 30;
/// Keys that both nodes submit at once.
const KEYS: usize = 20;
/// Most tasks that run at once in each partition.
const LIMIT: u32 = 3;
/// A run that hangs ends.
const PATIENCE: Duration = Duration::from_secs(120);

fn open(directory: &Path) -> Backend {
    let options = EmbeddedOptions {
        partitions: Some(2),
        ..EmbeddedOptions::default()
    };
    let embedded = Embedded::open(directory, options, Arc::new(SystemClock));
    super::backend(embedded.expect("the store opens"))
}

fn node(backend: &Backend) -> Scheduler {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Scheduler::start(backend.clone(), Configuration::default(), clock, entropy)
}

fn queue() -> QueueName {
    QueueName::new("default").expect("a name")
}

fn task(id: TaskId, payload: &'static str) -> NewTask {
    let kind = TaskType::new("test").expect("a name");
    let mut task = NewTask::new(id, kind, queue(), payload.into());
    task.retry.backoff = Millis::new(1);
    task
}

async fn submit(node: &Scheduler, task: NewTask) -> TaskId {
    let submit = Submit {
        workflow: None,
        tasks: vec![task],
    };
    node.submit(submit).await.expect("is accepted").tasks[0]
}

/// A parent that fails once, and a child that waits for it and is submitted to the other node.
async fn pair(nodes: &[Scheduler; 2], at: usize) -> [TaskId; 2] {
    let (here, there) = (&nodes[at % 2], &nodes[(at + 1) % 2]);
    let parent = submit(here, task(here.new_task_id(None, None), "fails once")).await;
    let mut child = task(there.new_task_id(None, None), "");
    child.dependencies = vec![Dependency {
        task: parent,
        on: DependencyOn::Success,
    }];
    [parent, submit(there, child).await]
}

/// The one task that a key names, whichever node is asked.
async fn keyed(nodes: &[Scheduler; 2], at: usize) -> TaskId {
    let key = IdempotencyKey::new(format!("key-{at}")).expect("a key");
    let submits = nodes.iter().map(|node| {
        let mut task = task(node.new_task_id(Some(&key), None), "");
        task.idempotency = Some(Idempotency {
            key: key.clone(),
            window: Window::For(Millis::from_secs(3_600)),
        });
        submit(node, task)
    });
    let named = join_all(submits).await;
    assert_eq!(named[0], named[1], "dedup");
    named[0]
}

/// What the workers saw.
#[derive(Default)]
struct Account {
    running: Mutex<BTreeMap<PartitionId, u32>>,
    completed: Mutex<Vec<TaskId>>,
    failed: AtomicUsize,
}

impl Account {
    fn begins(&self, task: &Task) {
        let mut running = self.running.lock().expect("lock");
        let running = running.entry(task.id.partition()).or_default();
        *running += 1;
        assert!(*running <= LIMIT, "{running} run in {:?}", task.id);
    }

    fn ends(&self, task: &Task) {
        let mut running = self.running.lock().expect("lock");
        *running.entry(task.id.partition()).or_default() -= 1;
    }
}

/// Leases and runs tasks until so many were completed.
async fn work(node: Scheduler, name: String, account: Arc<Account>, expected: usize) {
    while account.completed.lock().expect("lock").len() < expected {
        let request = LeaseRequest {
            queues: vec![queue()],
            worker: WorkerId(name.clone().into()),
            capacity: None,
            max: 4,
            duration: None,
            wait: Duration::from_millis(50),
        };
        let leased = node.lease(request).await.expect("leases");
        leased.iter().for_each(|task| account.begins(task));
        for task in leased {
            run(&node, &account, &task).await;
        }
    }
}

async fn run(node: &Scheduler, account: &Account, task: &Task) {
    for dependency in task.dependencies.inline.iter() {
        let parent = node.get(dependency.task).await.expect("is read");
        let status = parent.map(|parent| parent.status);
        assert_eq!(status, Some(Status::Succeeded), "order");
    }
    let lease = task.lease.as_ref().expect("a lease").id;
    account.ends(task);
    if task.attempt == 1 && &task.payload[..] == b"fails once" {
        account.failed.fetch_add(1, Ordering::Relaxed);
        let fail = Fail {
            task: task.id,
            lease,
            kind: ErrorKind::Failed,
            message: "once".into(),
            retry_after: None,
            progress: None,
            random: 0,
        };
        node.fail(fail).await.expect("is told");
        return;
    }
    let complete = Complete {
        task: task.id,
        lease,
        result: None,
        follow_ups: Vec::new(),
        progress: None,
    };
    node.complete(complete).await.expect("is told");
    account.completed.lock().expect("lock").push(task.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_loss_dedup_order_and_limits_held_with_two_nodes_on_one_open_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let backend = open(directory.path());
    let nodes = [node(&backend), node(&backend)];
    let limited = QueuePatch {
        concurrency: Some(Some(LIMIT)),
        ..QueuePatch::default()
    };
    nodes[0].configure(queue(), limited).await.expect("can be");
    let (account, expected) = (Arc::<Account>::default(), PAIRS * 2 + KEYS);
    let workers: Vec<_> = (0..6)
        .map(|at| {
            let (node, name) = (nodes[at % 2].clone(), format!("worker-{at}"));
            tokio::spawn(work(node, name, account.clone(), expected))
        })
        .collect();
    let pairs = join_all((0..PAIRS).map(|at| pair(&nodes, at)));
    let keys = join_all((0..KEYS).map(|at| keyed(&nodes, at)));
    let (pairs, mut ids) = tokio::join!(pairs, keys);
    ids.extend(pairs.into_iter().flatten());
    ids.sort_unstable();
    let worked = tokio::time::timeout(PATIENCE, join_all(workers)).await;
    for worker in worked.expect("all tasks end") {
        worker.expect("no worker panics");
    }
    let mut completed = account.completed.lock().expect("lock").clone();
    completed.sort_unstable();
    assert_eq!(completed, ids, "each task is completed once");
    assert_eq!(account.failed.load(Ordering::Relaxed), PAIRS);
    for node in &nodes {
        node.stop().await;
    }
    drop((nodes, backend));
    let node = node(&open(directory.path()));
    for task in node.get_each(&ids).await.expect("are read") {
        assert_eq!(task.map(|task| task.status), Some(Status::Succeeded));
    }
}
