//! Leases tasks, runs their handlers, keeps their leases alive and reports how they ended.

mod attempt;
mod board;
mod builder;
mod context;
mod failure;
mod heartbeat;
mod poll;
mod room;
mod service;
mod settle;
#[cfg(all(unix, not(madsim)))]
mod signal;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use russet_core::{QueueName, TaskType};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

pub use context::TaskContext;
pub use failure::{BoxError, TaskFailure};
pub use room::Room;
pub use service::{Handler, TaskOutput, handler};
pub use steps::Steps;

use crate::backoff::later;
use crate::{Client, Error, limits};
use board::{Board, Counts};
use service::Services;
use settle::Report;

/// Runs the handlers of tasks.
///
/// It asks for as many tasks as it has room for, sends the heartbeats of all of them
/// together, and reports the ends of those that have ended together. While the scheduler
/// is away it asks again, with growing pauses; ends are reported until the lease is over.
pub struct Worker {
    client: Client,
    settings: Settings,
    services: Services,
}

struct Settings {
    name: String,
    queues: Vec<String>,
    concurrency: usize,
    capacity: Option<BTreeMap<String, u64>>,
    lease: Option<Duration>,
    poll_wait: Duration,
    drain: Duration,
    cancel_grace: Option<Duration>,
    on_error: Option<OnError>,
}

type OnError = Arc<dyn Fn(&Error) + Send + Sync>;

/// What a stopped worker left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Handlers that had not finished in time; their tasks were given back.
    pub interrupted: usize,
    /// Tasks whose end could not be reported; they are tried again when their lease ends.
    pub unreported: usize,
}

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It takes on tasks.
    Working,
    /// It takes on no more tasks.
    Draining,
    /// Handlers must end now.
    Stopping,
}

/// What all parts of a worker share.
struct Crew {
    client: Client,
    settings: Settings,
    services: Services,
    board: Arc<Board>,
    ended: mpsc::UnboundedSender<Report>,
    /// Types without a handler that were met, each with the queue where it was.
    strangers: Mutex<BTreeSet<(TaskType, QueueName)>>,
    /// What was told of follow-up tasks.
    warned: Mutex<BTreeSet<String>>,
    /// A handler has asked for a longer delay than there is.
    long_delay: AtomicBool,
}

impl Crew {
    /// How many more tasks may be taken on.
    fn room(&self, now: Counts) -> usize {
        let most = self.settings.concurrency;
        let unreported = most.saturating_mul(limits::UNREPORTED_FACTOR);
        let idle = most.saturating_sub(now.placed);
        idle.min(unreported.saturating_sub(now.held))
    }

    fn report(&self, report: Report) {
        // When nobody reports any more, the worker was dropped and leases run out.
        let _ = self.ended.send(report);
    }

    /// Whether a type without a handler is met for the first time in this queue.
    fn is_new_stranger(&self, kind: &TaskType, queue: &QueueName) -> bool {
        let Ok(mut known) = self.strangers.lock() else {
            return false;
        };
        known.len() < limits::STRANGERS && known.insert((kind.clone(), queue.clone()))
    }

    /// Tells each warning of follow-up tasks once.
    fn warn(&self, warnings: Vec<String>) {
        let Ok(mut warned) = self.warned.lock() else {
            return;
        };
        for warning in warnings {
            if warned.len() < limits::WARNINGS && warned.insert(warning.clone()) {
                tracing::warn!("of a follow-up task: {warning}");
            }
        }
    }

    /// Whether a handler asks for the first time for a longer delay than there is.
    fn is_first_long_delay(&self) -> bool {
        !self.long_delay.swap(true, Ordering::Relaxed)
    }

    fn failed(&self, error: &Error) {
        if let Some(told) = &self.settings.on_error {
            told(error);
        }
    }
}

impl Worker {
    /// Works until `shutdown`, then lets handlers finish for the time of [`Self::drain`] and
    /// gives back what is left and signs off. Dropping the future drops all handlers where they await;
    /// their tasks are tried again when their leases end, and the worker counts as live for a while.
    ///
    /// # Errors
    /// A refusal that no waiting will change, such as a wrong token or queue name; handlers
    /// were finished as at a shutdown.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<Stopped, Error> {
        self.run(shutdown, std::future::pending(), "").await
    }

    /// Works until `shutdown` as [`Self::run_until`] does, or until `at_once`: then handlers
    /// are dropped where they await, and their tasks are given back.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub async fn run_until_either(
        self,
        shutdown: impl Future<Output = ()>,
        at_once: impl Future<Output = ()>,
    ) -> Result<Stopped, Error> {
        self.run(shutdown, at_once, "").await
    }

    async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        at_once: impl Future<Output = ()>,
        advice: &str,
    ) -> Result<Stopped, Error> {
        let (ended, reports) = mpsc::unbounded_channel();
        let worker = self.fill_in();
        let crew = Arc::new(Crew {
            client: worker.client,
            settings: worker.settings,
            services: worker.services,
            board: Arc::new(Board::new()),
            ended,
            strangers: Mutex::default(),
            warned: Mutex::default(),
            long_delay: AtomicBool::default(),
        });
        let phase = watch::Sender::new(Phase::Working);
        let begun = OnceLock::new();
        let at_once = at_once.shared();
        let hurry = at_once.clone();
        let shutdown = async {
            tokio::select! {
                biased;
                () = hurry => {}
                () = shutdown => {}
            }
            begun.get_or_init(Instant::now);
        };
        let polling = async {
            let polled = poll::run(&crew, &phase, pin!(shutdown)).await;
            drain(&phase);
            polled
        };
        let stopping = async {
            // The phase outlives the work.
            let _ = phase
                .subscribe()
                .wait_for(|now| *now != Phase::Working)
                .await;
            let until = later(*begun.get_or_init(Instant::now), crew.settings.drain);
            tell_of_drain(&crew, advice);
            stop(&crew, &phase, until, at_once).await
        };
        let work = finish(&crew, polling, stopping);
        let stopped = tokio::select! {
            biased;
            never = settle::run(&crew, reports) => match never {},
            stopped = work => stopped?,
            never = heartbeat::run(&crew) => match never {},
        };
        sign_off(&crew).await;
        Ok(stopped)
    }
}

/// Tells the scheduler that the worker is gone, when nothing of it is under way any more. It has
/// stopped whether that is heard or not.
async fn sign_off(crew: &Crew) {
    let name = &crew.settings.name;
    match timeout(limits::SIGN_OFF, crew.client.sign_off(name)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the worker could not sign off"),
        Err(_) => tracing::debug!("nobody answered the worker that signs off"),
    }
}

/// Takes on no more tasks; a worker that is further on stays there.
fn drain(phase: &watch::Sender<Phase>) {
    phase.send_if_modified(|now| {
        let working = *now == Phase::Working;
        if working {
            *now = Phase::Draining;
        }
        working
    });
}

/// Waits until the worker has stopped. A poll that is still on its way is left only when
/// everything that the worker held is given back: the server might offer it just that.
async fn finish(
    crew: &Crew,
    polling: impl Future<Output = Result<(), Error>>,
    stopping: impl Future<Output = Stopped>,
) -> Result<Stopped, Error> {
    let (mut polling, mut stopping) = (pin!(polling), pin!(stopping));
    tokio::select! {
        biased;
        polled = polling.as_mut() => {
            let stopped = stopping.await;
            polled.map(|()| stopped)
        }
        stopped = stopping.as_mut() => {
            let polled = timeout(limits::POLL_LEAVE, polling).await.unwrap_or(Ok(()));
            let unreported = unreported(crew).await;
            polled.map(|()| Stopped { unreported, ..stopped })
        }
    }
}

/// Says for what the worker waits before it stops, and what may be done about it.
fn tell_of_drain(crew: &Crew, advice: &str) {
    let running = crew.board.counts().running;
    if running > 0 {
        let drain = crew.settings.drain;
        let tasks = if running == 1 { "task" } else { "tasks" };
        tracing::info!("waiting up to {drain:?} for {running} {tasks}{advice}");
    }
}

/// Waits until everything is reported; how many ends are not in time.
async fn unreported(crew: &Crew) -> usize {
    let reported = crew.board.until(|now| now.held == 0);
    match timeout(limits::REPORT_GRACE, reported).await {
        Ok(()) => 0,
        Err(_) => crew.board.counts().held,
    }
}

/// Lets handlers finish until `until`, then gives back what is left, and waits for room that
/// outlives its handler.
async fn stop(
    crew: &Crew,
    phase: &watch::Sender<Phase>,
    until: Instant,
    at_once: impl Future<Output = ()>,
) -> Stopped {
    tokio::select! {
        biased;
        () = crew.board.until(|now| now.running == 0) => {}
        () = at_once => {}
        () = sleep_until(until) => {}
    }
    let interrupted = crew.board.counts().running;
    phase.send_replace(Phase::Stopping);
    let dropped = crew.board.until(|now| now.running == 0);
    let _ = timeout(limits::DROP_GRACE, dropped).await;
    // Handlers that do not let themselves be dropped are not waited for.
    crew.board.until(|now| now.placed <= now.running).await;
    Stopped {
        interrupted,
        unreported: unreported(crew).await,
    }
}
