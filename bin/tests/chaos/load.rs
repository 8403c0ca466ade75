use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use russet::core::{PartitionId, TaskId};
use russet::wire::{DependsOn, RetryView, SubmitTask};
use russet::{Client, Error};
use russet_engine::{Clock, SystemClock, SystemEntropy, TaskIds};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::any_node;
use crate::cluster::PARTITIONS;
use crate::random::Random;
use crate::wait::PATIENCE;

/// The queue of all tasks.
pub const QUEUE: &str = "chaos";

/// What a handler does with a task; its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Which submission it is.
    pub name: String,
    pub work_ms: u64,
    /// How often it fails before it ends.
    pub failures: u32,
    /// It fails for good in the end.
    pub dies: bool,
    /// How long after its submission it may begin.
    pub delay_ms: u64,
    /// The task whose end it waits for.
    pub after: Option<TaskId>,
}

/// Whether tasks wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// Each stands alone.
    Apart,
    /// Some wait for the end of one that the same client has submitted before.
    Linked,
}

/// A task that a client wanted.
#[derive(Clone, Debug)]
pub struct Submission {
    pub script: Script,
    /// Each acknowledgement that it got, and when.
    pub acknowledged: Vec<(TaskId, Instant)>,
    /// Why it was not acknowledged.
    pub refused: Option<String>,
}

/// Clients that submit tasks until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Submission>>>,
}

impl Load {
    pub fn start(
        runtime: &Runtime,
        clients: usize,
        nodes: &[String],
        tasks: Tasks,
        random: &mut Random,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |at: usize| {
            let submitter = Submitter {
                at,
                client: any_node::client(nodes, at, None),
                random: random.split(),
                tasks,
                ids: TaskIds::default(),
            };
            runtime.spawn(submitter.run(stop.clone()))
        };
        let clients = (0..clients).map(start).collect();
        Self { stop, clients }
    }

    /// Lets the clients go on until what they have begun is answered.
    pub fn stop(self, runtime: &Runtime) -> Vec<Submission> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = runtime.block_on(futures::future::join_all(self.clients));
        ended
            .into_iter()
            .flat_map(|all| all.expect("a client ends"))
            .collect()
    }
}

struct Submitter {
    at: usize,
    client: Client,
    random: Random,
    tasks: Tasks,
    ids: TaskIds,
}

impl Submitter {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Vec<Submission> {
        let mut submissions: Vec<Submission> = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let before = submissions.last().and_then(|one| one.acknowledged.first());
            let before = before.map(|(id, _)| *id);
            let script = self.script(submissions.len(), before);
            let task = self.task(&script);
            let mut submission = Submission {
                script,
                acknowledged: Vec::new(),
                refused: None,
            };
            // Now and then it is sent again although it was acknowledged.
            let times = 1 + usize::from(self.random.percent(15));
            for _ in 0..times {
                match self.submit(&task).await {
                    Ok(id) => submission.acknowledged.push((id, Instant::now())),
                    Err(error) => submission.refused = Some(error.to_string()),
                }
            }
            submissions.push(submission);
            tokio::time::sleep(self.random.millis(10, 90)).await;
        }
        submissions
    }

    fn script(&mut self, n: usize, before: Option<TaskId>) -> Script {
        let linked = self.tasks == Tasks::Linked && self.random.percent(25);
        Script {
            name: format!("{}-{n}", self.at),
            work_ms: match self.random.percent(10) {
                true => 500 + self.random.below(2_500),
                false => self.random.below(30),
            },
            failures: match self.random.percent(15) {
                true => 1 + self.random.below(2) as u32,
                false => 0,
            },
            dies: self.random.percent(8),
            delay_ms: match self.random.percent(15) {
                true => 100 + self.random.below(1_900),
                false => 0,
            },
            after: before.filter(|_| linked),
        }
    }

    /// Named by a key or by an id of the client's, so that it can be sent again.
    fn task(&mut self, script: &Script) -> SubmitTask {
        let mut task = SubmitTask::new("scripted")
            .in_queue(QUEUE)
            .with_payload(script)
            .expect("JSON")
            .with_visibility_timeout(Duration::from_secs(2))
            .with_max_retries(1_000);
        task.retry = Some(RetryView {
            backoff_ms: Some(50),
            backoff_cap_ms: Some(500),
            jitter_percent: None,
        });
        if script.delay_ms > 0 {
            task = task.delayed(Duration::from_millis(script.delay_ms));
        }
        task.dependencies = script
            .after
            .map(DependsOn::completion)
            .into_iter()
            .collect();
        if self.random.percent(60) {
            return task.with_idempotency_key(format!("key-{}", script.name));
        }
        let partition = PartitionId(self.random.below(u64::from(PARTITIONS)) as u16);
        let entropy = SystemEntropy::new();
        task.with_id(self.ids.next(SystemClock.now(), partition, &entropy))
    }

    /// Sends the same request until it is answered, to one node after the other.
    async fn submit(&self, task: &SubmitTask) -> Result<TaskId, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.client.submit(task.clone()).await {
                Ok(view) => return Ok(view.task),
                Err(error) if error.is_temporary() && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How many submissions were acknowledged.
pub fn acknowledged(submissions: &[Submission]) -> BTreeMap<TaskId, &Submission> {
    let known = submissions.iter().flat_map(|submission| {
        let ids = submission.acknowledged.iter();
        ids.map(move |(id, _)| (*id, submission))
    });
    known.collect()
}
