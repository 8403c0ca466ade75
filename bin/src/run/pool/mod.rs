//! The workers: as many tasks at once as there is room for.
//!
//! Leasing waits for events and never inside the scheduler, so that a request always asks for
//! all the room that there is.

mod attempt;
mod families;
mod running;
mod slots;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russet_core::{Resources, TaskId, WorkerId};
use russet_engine::{EngineError, LeaseRequest, Scheduler, limits as engine_limits};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::limits;
use super::plan::Plan;
use super::shell::Shell;
use families::Families;
use running::Running;
use slots::{Slot, Slots};

/// What the workers need.
pub(super) struct Setup {
    pub scheduler: Scheduler,
    pub plan: Arc<Plan>,
    /// Whether each task has succeeded in an earlier session.
    pub succeeded: Vec<bool>,
    /// Rings when a task became ready.
    pub ready: Arc<Notify>,
    /// Runs commands; `None` when there are none.
    pub shell: Option<Shell>,
    pub concurrency: usize,
    /// What tasks may use together; `None`: it is not counted.
    pub capacity: Option<Resources>,
    pub speedup: f64,
    pub worker: WorkerId,
}

/// The workers of a run.
pub(super) struct Pool {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    leasing: JoinHandle<()>,
}

/// Tells when the last attempt has ended.
pub(super) struct Idle(mpsc::Receiver<()>);

impl Idle {
    /// Waits until no attempt runs, after [`Pool::stop`].
    pub async fn wait(&mut self) {
        while self.0.recv().await.is_some() {}
    }
}

/// What attempts share.
struct Shared {
    scheduler: Scheduler,
    plan: Arc<Plan>,
    shell: Option<Shell>,
    speedup: f64,
    running: Running,
    families: Families,
    /// By position: the attempts of one task run one after the other.
    turns: Vec<tokio::sync::Mutex<()>>,
    failed: Mutex<Option<EngineError>>,
    broken: Notify,
}

impl Pool {
    /// Starts working.
    pub fn start(setup: Setup) -> (Self, Idle) {
        let (stop, stopping) = watch::channel(false);
        let (alive, attempts) = mpsc::channel(1);
        let tasks = setup.plan.workflow.tasks.len();
        let families = Families::new(&setup.plan.workflow, &setup.succeeded);
        let shared = Arc::new(Shared {
            scheduler: setup.scheduler,
            plan: setup.plan,
            shell: setup.shell,
            speedup: setup.speedup,
            running: Running::default(),
            families,
            turns: (0..tasks).map(|_| tokio::sync::Mutex::default()).collect(),
            failed: Mutex::default(),
            broken: Notify::new(),
        });
        let leasing = Leasing {
            shared: shared.clone(),
            slots: Slots::new(setup.concurrency, setup.capacity, setup.ready.clone()),
            ready: setup.ready,
            worker: setup.worker,
            alive,
        };
        let pool = Self {
            leasing: tokio::spawn(leasing.run(stopping)),
            shared,
            stop,
        };
        (pool, Idle(attempts))
    }

    /// Stops starting tasks.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Tells an attempt that its time is over.
    pub fn revoke(&self, task: TaskId, attempt: u64) {
        self.shared.running.revoke(task, attempt);
    }

    /// Ends all attempts and gives their tasks back.
    pub fn give_back_all(&self) {
        self.shared.running.give_back_all();
    }

    /// How many attempts are running.
    pub fn running(&self) -> usize {
        self.shared.running.count()
    }

    /// Waits until the scheduler cannot go on.
    pub async fn broken(&self) -> EngineError {
        loop {
            let failed = self.shared.failed();
            if let Some(error) = failed {
                return error;
            }
            self.shared.broken.notified().await;
        }
    }

    /// Ends everything.
    pub async fn finish(self, mut idle: Idle) {
        self.stop();
        idle.wait().await;
        let _ = self.leasing.await;
        if let Some(Shared {
            shell: Some(shell), ..
        }) = Arc::into_inner(self.shared)
        {
            shell.finish();
        }
    }
}

impl Shared {
    /// Ends the run: the scheduler cannot go on.
    fn give_up(&self, error: EngineError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
        self.broken.notify_one();
    }

    fn failed(&self) -> Option<EngineError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone()
    }

    /// Waits until no other attempt of the task runs a command.
    async fn turn(&self, task: TaskId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let turn = self.turns.get(self.plan.position(task)?)?;
        Some(turn.lock().await)
    }
}

/// Ends the run when whoever holds this panics: nobody would wait for what it was to do.
struct OnPanic(Arc<Shared>);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up(EngineError::Stopping);
        }
    }
}

/// Asks for work.
struct Leasing {
    shared: Arc<Shared>,
    slots: Slots,
    ready: Arc<Notify>,
    worker: WorkerId,
    alive: mpsc::Sender<()>,
}

impl Leasing {
    async fn run(self, mut stopping: watch::Receiver<bool>) {
        let _on_panic = OnPanic(self.shared.clone());
        let mut heartbeat = tokio::time::interval(limits::HEARTBEAT);
        heartbeat.tick().await;
        let leasing = async {
            loop {
                self.lease().await;
            }
        };
        let beating = async {
            loop {
                heartbeat.tick().await;
                self.beat().await;
            }
        };
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            () = leasing => {}
            () = beating => {}
        }
    }

    /// Starts what is ready and fits.
    async fn lease(&self) {
        let mut room = self.slots.room(engine_limits::LEASE_TASKS).await;
        let request = LeaseRequest {
            queues: vec![Plan::queue()],
            worker: self.worker.clone(),
            capacity: self.slots.capacity(),
            max: room.count(),
            duration: None,
            wait: Duration::ZERO,
        };
        let tasks = match self.shared.scheduler.lease(request).await {
            Ok(tasks) => tasks,
            Err(
                EngineError::Overloaded { retry_after, .. }
                | EngineError::Contended { retry_after },
            ) => {
                return self
                    .shared
                    .scheduler
                    .clock()
                    .sleep(retry_after.into())
                    .await;
            }
            Err(error) => {
                self.shared.give_up(error);
                return std::future::pending().await;
            }
        };
        if tasks.is_empty() {
            drop(room);
            // The pause only makes good for what should not happen: a ring that was missed.
            let _ = tokio::time::timeout(limits::RECHECK, self.ready.notified()).await;
            return;
        }
        for task in tasks {
            let slot = self.slots.take(&mut room, &task.resources);
            let slot = slot.expect("no more tasks are leased than asked for");
            let (shared, alive) = (self.shared.clone(), self.alive.clone());
            tokio::spawn(async move {
                // Dropped last: what hears of it finds nothing else in use.
                let _alive = alive;
                let _on_panic = OnPanic(shared.clone());
                attempt::attempt(shared, task, slot).await;
            });
        }
    }

    async fn beat(&self) {
        let heartbeats = self.shared.running.heartbeats();
        for result in self.shared.scheduler.extend_each(heartbeats).await {
            if let Err(error) = result {
                tracing::debug!(%error, "a lease was not extended");
            }
        }
    }
}
