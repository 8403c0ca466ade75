//! One attempt of a task.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russet::wire::Json;
use russet::{BoxError, TaskContext, TaskFailure, TaskOutput};
use russet_engine::Clock;
use tokio::sync::Mutex;
use tower::Service;

use super::families::Families;
use super::shell::{Script, Shell};
use crate::run::plan::Plan;
use crate::run::work::{Job, Payload, sped_up};

/// Does what the payloads of tasks say. Clones are the same.
#[derive(Clone)]
pub(super) struct Handler(Arc<Shared>);

/// What attempts share.
pub(super) struct Shared {
    pub plan: Arc<Plan>,
    pub shell: Option<Arc<Shell>>,
    pub families: Families,
    /// By position: the attempts of one task run one after the other.
    pub turns: Vec<Arc<Mutex<()>>>,
    pub clock: Arc<dyn Clock>,
    pub speedup: f64,
}

impl Handler {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Service<TaskContext> for Handler {
    type Response = TaskOutput;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TaskOutput, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: TaskContext) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move { Ok(attempt(&shared, &task).await?) })
    }
}

async fn attempt(shared: &Shared, task: &TaskContext) -> Result<TaskOutput, TaskFailure> {
    let payload = task.task().payload.as_ref().map_or("", Json::as_str);
    let unreadable = |error| TaskFailure::final_(format!("the payload cannot be read: {error}"));
    let payload = Payload::read(payload.as_bytes()).map_err(unreadable)?;
    let position = shared.plan.position(task.id());
    let position = position.ok_or_else(|| TaskFailure::final_("it is not of this workflow"))?;
    let output = match &payload.job {
        Job::Sleep { sleep_us } => {
            sleep(shared, task, Duration::from_micros(*sleep_us)).await;
            TaskOutput::default()
        }
        Job::Shell { run, env } => {
            let script = Script {
                task: &payload.task,
                attempt: task.attempt(),
                run,
                env,
            };
            command(shared, task, position, script).await?
        }
    };
    if shared.families.succeeds(position) {
        // The task that becomes ready may be the one to go first.
        task.keep_room();
    }
    Ok(output)
}

/// Sleeps from the time on at which the lease was decided, so that writing the lease to the
/// disk is not added to the time that the task takes.
async fn sleep(shared: &Shared, task: &TaskContext, time: Duration) {
    let now = shared.clock.now();
    let started = task.task().started_at;
    let gone = started.map_or(Duration::ZERO, |at| now.since(at.timestamp()).into());
    let rest = sped_up(time, shared.speedup).saturating_sub(gone);
    if !rest.is_zero() {
        tokio::time::sleep(rest).await;
    }
}

async fn command(
    shared: &Shared,
    task: &TaskContext,
    position: usize,
    script: Script<'_>,
) -> Result<TaskOutput, TaskFailure> {
    let Some(shell) = &shared.shell else {
        let why = "this run was started without commands";
        return Err(TaskFailure::final_(why));
    };
    // An earlier attempt that ran out of time may still be stopping.
    let turn = shared.turns[position].clone().lock_owned().await;
    let held = (task.room(), turn);
    let output = shell.run(script, held, task.cancelled()).await?;
    if output.is_empty() {
        return Ok(TaskOutput::default());
    }
    Ok(TaskOutput::of(&output)?)
}
