//! The work of a run: the worker of the SDK, with a scheduler in the same process.

mod families;
mod handler;
mod shell;

use std::sync::Arc;

use russet::{Client, Error, Stopped, Worker};
use russet_core::Resources;
use russet_engine::Scheduler;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::plan::Plan;
use super::{RunError, limits};
use families::Families;
use handler::Handler;
pub(super) use shell::{Shell, log_path};

/// What the work needs.
pub(super) struct Setup {
    pub scheduler: Scheduler,
    pub plan: Arc<Plan>,
    /// Whether each task has succeeded in an earlier session.
    pub succeeded: Vec<bool>,
    /// Runs commands; `None` when there are none.
    pub shell: Option<Shell>,
    pub concurrency: usize,
    /// What tasks may use together; `None`: it is not counted.
    pub capacity: Option<Resources>,
    pub speedup: f64,
    /// What the worker is called.
    pub name: String,
}

/// A worker at work.
pub(super) struct Working {
    shell: Option<Arc<Shell>>,
    stage: watch::Sender<Stage>,
    worker: Option<JoinHandle<Result<Stopped, Error>>>,
    failures: mpsc::UnboundedReceiver<Error>,
}

/// How far it is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Not at all.
    Working,
    /// It starts no more tasks.
    Draining,
    /// It gives back the tasks that are running.
    Stopping,
}

impl Working {
    /// Starts working.
    pub fn start(setup: Setup) -> Self {
        let shell = setup.shell.map(Arc::new);
        let (told, failures) = mpsc::unbounded_channel();
        let turns = setup.plan.workflow.tasks.iter().map(|_| Arc::default());
        let handler = Handler::new(handler::Shared {
            families: Families::new(&setup.plan.workflow, &setup.succeeded),
            turns: turns.collect(),
            plan: setup.plan,
            shell: shell.clone(),
            clock: setup.scheduler.clock(),
            speedup: setup.speedup,
        });
        let mut worker = Worker::new(Client::in_process(setup.scheduler))
            .named(setup.name)
            .queue(Plan::queue().as_str())
            .concurrency(setup.concurrency)
            // How long that may take is for the session to say.
            .drain(limits::LEASE.into())
            .on_error(move |error| {
                // At the end of a run nobody reads any more.
                let _ = is_fatal(error).then(|| told.send(error.clone()));
            })
            .service_for_others(handler);
        if let Some(capacity) = setup.capacity {
            let amounts = capacity.iter();
            let amounts = amounts.map(|(name, amount)| (name.as_str().to_owned(), amount));
            worker = worker.capacity(amounts.collect());
        }
        let stage = watch::Sender::new(Stage::Working);
        let running = worker.run_until_either(
            reached(stage.subscribe(), Stage::Draining),
            reached(stage.subscribe(), Stage::Stopping),
        );
        Self {
            shell,
            stage,
            worker: Some(tokio::spawn(running)),
            failures,
        }
    }

    /// Starts no more tasks.
    pub fn stop(&self) {
        self.advance(Stage::Draining);
    }

    /// Ends the tasks that are running, and gives them back.
    pub fn give_back_all(&self) {
        self.advance(Stage::Stopping);
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let is_next = *stage < to;
            *stage = to.max(*stage);
            is_next
        });
    }

    /// Waits until nothing runs any more, after it was stopped.
    ///
    /// # Errors
    /// Why the scheduler cannot go on.
    pub async fn ended(&mut self) -> Result<(), RunError> {
        let Some(worker) = &mut self.worker else {
            return Ok(());
        };
        let ended = tokio::select! {
            biased;
            Some(error) = self.failures.recv() => return Err(error.into()),
            ended = worker => ended,
        };
        self.worker = None;
        match ended {
            Ok(stopped) => Ok(stopped.map(|_| ())?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Ends everything.
    ///
    /// # Errors
    /// As [`Self::ended`].
    pub async fn finish(mut self) -> Result<(), RunError> {
        self.stop();
        self.ended().await?;
        if let Some(shell) = self.shell {
            shell.finish();
        }
        Ok(())
    }
}

async fn reached(mut stage: watch::Receiver<Stage>, least: Stage) {
    // A session that is gone has stopped.
    let _ = stage.wait_for(|stage| *stage >= least).await;
}

/// Whether asking again is of no use: scheduler and store are in this process, so that nothing
/// passes but a crowd.
fn is_fatal(error: &Error) -> bool {
    let code = error.problem().map(|problem| problem.code.as_str());
    !matches!(code, Some("overloaded" | "contended"))
}
