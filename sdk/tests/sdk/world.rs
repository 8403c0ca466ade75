//! A scheduler to test with, and kinds of tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russet::core::{Millis, TaskId, Timestamp};
use russet::wire::{SubmitTask, TaskView};
use russet::{Client, Stopped, TaskKind, Worker};
use russet_backends::memory::Memory;
use russet_engine::{Backend, Clock, Configuration, Scheduler, SystemEntropy};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A minute that a test never waits for in earnest.
pub const MINUTE: Duration = Duration::from_secs(60);

/// A clock that shows tokio's time.
pub struct TestClock(Instant);

impl TestClock {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let elapsed = Millis::new(self.0.elapsed().as_millis() as u64);
        Timestamp::from_millis(1_800_000_000_000) + elapsed
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A scheduler with an empty memory.
pub fn scheduler() -> Scheduler {
    let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
    let memory = Memory::new(4, clock.clone());
    let backend = Backend {
        store: memory.clone(),
        queue: memory,
    };
    let configuration = Configuration::default();
    Scheduler::start(
        backend,
        configuration,
        clock,
        Arc::new(SystemEntropy::new()),
    )
}

/// A client of a new scheduler.
pub fn client() -> Client {
    Client::in_process(scheduler())
}

/// A worker that runs until it is told to stop.
pub struct Running {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<Stopped, russet::Error>>,
}

impl Running {
    pub fn start(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        let worker = tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        Self { stop, worker }
    }

    pub async fn stop(self) -> Stopped {
        self.stop.send(()).expect("the worker runs");
        let stopped = self.worker.await.expect("does not panic");
        stopped.expect("stops without an error")
    }

    pub fn kill(self) {
        self.worker.abort();
    }
}

/// Adds up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Add {
    pub a: u64,
    pub b: u64,
}

impl TaskKind for Add {
    const TYPE: &'static str = "add";
    type Output = u64;
}

/// Does whatever the test's handler does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Work;

impl TaskKind for Work {
    const TYPE: &'static str = "work";
    type Output = ();
}

/// A task of kind [`Work`].
pub fn work() -> SubmitTask {
    SubmitTask::of(&Work).expect("is JSON")
}

/// Submits a task.
pub async fn submit(client: &Client, task: SubmitTask) -> TaskId {
    let submitted = client.submit(task).await.expect("is accepted");
    submitted.task
}

/// The task when it has ended.
pub async fn ended(client: &Client, id: TaskId) -> TaskView {
    let task = client.wait(id, 10 * MINUTE).await.expect("exists");
    assert!(task.is_terminal(), "has not ended: {task:?}");
    task
}

/// Counts.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn sub(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn max(&self, other: usize) {
        self.0.fetch_max(other, Ordering::SeqCst);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
