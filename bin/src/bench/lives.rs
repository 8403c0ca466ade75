//! Whole task lives through a scheduler: submit, lease, complete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use russet_core::{Complete, LeaseId, NewTask, QueueName, Submit, Task, TaskType, WorkerId};
use russet_engine::{Backend, Configuration, LeaseRequest, Scheduler, SystemClock, SystemEntropy};

use super::Measured;

/// What every benchmark task carries.
pub(super) const PAYLOAD_BYTES: usize = 256;

/// Starts a scheduler on a backend.
pub(super) fn scheduler(backend: Backend) -> Scheduler {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Scheduler::start(backend, Configuration::default(), clock, entropy)
}

/// Makes tasks of one kind.
#[derive(Clone)]
pub(super) struct Maker {
    kind: TaskType,
    pub queue: QueueName,
    payload: Bytes,
}

impl Maker {
    pub fn new() -> Measured<Self> {
        Ok(Self {
            kind: TaskType::new("bench")?,
            queue: QueueName::new("bench")?,
            payload: format!("\"{}\"", "x".repeat(PAYLOAD_BYTES - 2)).into(),
        })
    }

    pub fn task(&self, scheduler: &Scheduler) -> NewTask {
        let id = scheduler.new_task_id(None, None);
        NewTask::new(
            id,
            self.kind.clone(),
            self.queue.clone(),
            self.payload.clone(),
        )
    }

    pub fn submit(&self, scheduler: &Scheduler) -> Submit {
        Submit {
            workflow: None,
            tasks: vec![self.task(scheduler)],
        }
    }

    pub fn lease(&self, max: usize, wait: Duration) -> LeaseRequest {
        LeaseRequest {
            queues: vec![self.queue.clone()],
            worker: WorkerId("bench".into()),
            capacity: None,
            max,
            duration: None,
            wait,
        }
    }
}

/// The completion of a leased task.
pub(super) fn completion(task: &Task) -> Complete {
    let lease = task
        .lease
        .as_ref()
        .map_or(LeaseId::from_u128(0), |lease| lease.id);
    Complete {
        task: task.id,
        lease,
        result: None,
        follow_ups: Vec::new(),
        progress: None,
    }
}

/// Runs `callers` at once for `time`, each through one command after the other; returns
/// lives a second.
pub(super) async fn rate(scheduler: &Scheduler, callers: usize, time: Duration) -> Measured<f64> {
    let (maker, start) = (Maker::new()?, Instant::now());
    let callers =
        (0..callers).map(|_| tokio::spawn(caller(scheduler.clone(), maker.clone(), start + time)));
    let callers: Vec<_> = callers.collect();
    let mut lives = 0;
    for caller in callers {
        lives += caller.await??;
    }
    Ok(lives as f64 / start.elapsed().as_secs_f64())
}

async fn caller(scheduler: Scheduler, maker: Maker, until: Instant) -> Measured<u64> {
    let mut lives = 0;
    while Instant::now() < until {
        scheduler.submit(maker.submit(&scheduler)).await?;
        let leased = scheduler
            .lease(maker.lease(1, Duration::from_secs(5)))
            .await?;
        for task in leased {
            scheduler.complete(completion(&task)).await?;
            lives += 1;
        }
    }
    Ok(lives)
}

/// Leases and completes `count` tasks in batches of 1,000.
pub(super) async fn drain(scheduler: &Scheduler, maker: &Maker, count: usize) -> Measured<()> {
    let mut done = 0;
    while done < count {
        let leased = scheduler
            .lease(maker.lease(1_000, Duration::from_secs(5)))
            .await?;
        if leased.is_empty() {
            return Err(format!("only {done} of {count} tasks became ready").into());
        }
        let completions = leased.iter().map(|task| completion(task)).collect();
        for result in scheduler.complete_each(completions).await {
            result?;
            done += 1;
        }
    }
    Ok(())
}
