//! A worker: the real worker loop, with a handler that does what a task's script says.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russet::wire::{Json, SubmitTask};
use russet::{BoxError, Client, TaskContext, TaskFailure, TaskOutput, Worker};
use russet_core::LeaseId;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tower::service_fn;

use super::time::now;
use crate::history::{Actor, Fault, FaultKind, Journal, What};
use crate::plan::{Attempt, Plan, WorkerPlan};

/// What a planned panic says.
pub const PLANNED_PANIC: &str = "a planned panic";

/// What a task carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    /// How its attempts go.
    pub attempts: Vec<Attempt>,
    /// What makes some payloads so large that a store keeps them apart.
    pub padding: String,
}

/// What the handlers of a worker share.
#[derive(Clone)]
struct Hands {
    own: Actor,
    journal: Journal,
    healed: Arc<AtomicBool>,
    kill: Arc<dyn Fn(Actor) + Send + Sync>,
}

/// Runs a worker for as long as it is polled.
pub async fn run(
    client: Client,
    own: Actor,
    plan: &WorkerPlan,
    journal: Journal,
    healed: Arc<AtomicBool>,
    kill: Arc<dyn Fn(Actor) + Send + Sync>,
) {
    let hands = Hands {
        own,
        journal,
        healed,
        kill,
    };
    let handler = service_fn(move |context: TaskContext| {
        let hands = hands.clone();
        async move { hands.work(context).await }
    });
    let mut worker = Worker::new(client)
        .named(own.to_string())
        .queues(plan.queues.iter().map(|queue| Plan::queue(*queue)))
        .concurrency(plan.concurrency)
        .poll_wait(Duration::from_secs(1))
        .cancel_grace(Some(Duration::from_millis(300)))
        .service_for_others(handler);
    if let Some(cpu) = plan.cpu {
        worker = worker.resource("cpu", cpu);
    }
    if let Some(ms) = plan.lease_ms {
        worker = worker.lease(Duration::from_millis(ms));
    }
    // It stops only when it is killed, or told that its request can never be accepted.
    let _ = worker.run_until(std::future::pending()).await;
}

impl Hands {
    async fn work(&self, context: TaskContext) -> Result<TaskOutput, BoxError> {
        let (task, attempt) = (context.id(), context.attempt());
        let lease = context.task().lease_id.unwrap_or(LeaseId::from_u128(0));
        let worker = self.own;
        self.journal.write(
            now(),
            What::Began {
                worker,
                task,
                attempt,
                lease,
            },
        );
        let script: Script = context.payload()?;
        let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let planned = script
            .attempts
            .get(at)
            .copied()
            .unwrap_or(Attempt::Succeed(0));
        let output = self.attempt(&context, planned).await?;
        self.journal.write(
            now(),
            What::Did {
                worker,
                task,
                attempt,
            },
        );
        Ok(output)
    }

    async fn attempt(
        &self,
        context: &TaskContext,
        planned: Attempt,
    ) -> Result<TaskOutput, BoxError> {
        match planned {
            Attempt::Succeed(ms) => self.pass(ms).await,
            Attempt::Fail(ms) => {
                self.pass(ms).await;
                return Err(TaskFailure::retry("planned").into());
            }
            Attempt::Final(ms) => {
                self.pass(ms).await;
                return Err(TaskFailure::final_("planned").into());
            }
            Attempt::Panic(ms) => {
                self.pass(ms).await;
                std::panic::panic_any(PLANNED_PANIC);
            }
            Attempt::Snooze(ms) => {
                return Err(TaskFailure::snooze(Duration::from_millis(ms)).into());
            }
            Attempt::Hang => self.hang(context).await?,
            Attempt::Poison(ms) => {
                self.pass(ms).await;
                self.die().await;
            }
            Attempt::FollowUps(ms, count) => {
                self.pass(ms).await;
                (0..count).for_each(|_| context.follow_up(follow_up(context)));
            }
            Attempt::Progress(ms, more) => {
                self.pass(ms).await;
                context.progress(50, "half of it");
                context.checkpoint(&ms).await?;
                self.pass(more).await;
            }
        }
        Ok(TaskOutput::default())
    }

    async fn pass(&self, ms: u64) {
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Goes on until the world is healed, or somebody cancels the task.
    async fn hang(&self, context: &TaskContext) -> Result<(), TaskFailure> {
        while !self.healed.load(Ordering::Relaxed) {
            if context.is_cancelled() {
                return Err(TaskFailure::cancelled());
            }
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    async fn die(&self) {
        if !self.healed.load(Ordering::Relaxed) {
            let (kind, whom) = (FaultKind::Crash, self.own);
            self.journal.write(now(), What::Fault(Fault { kind, whom }));
            (self.kill)(self.own);
            let _: Infallible = std::future::pending().await;
        }
    }
}

/// A task that succeeds, in the queue of the task that it follows.
fn follow_up(context: &TaskContext) -> SubmitTask {
    let script = Script {
        attempts: Vec::new(),
        padding: String::new(),
    };
    SubmitTask {
        kind: "follow-up".to_owned(),
        queue: Some(context.task().queue.to_string()),
        payload: Json::new(&script).ok(),
        ..SubmitTask::default()
    }
}
