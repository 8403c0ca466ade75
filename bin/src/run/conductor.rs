//! Keeps a session together: hears what happens and what the user wants, and tells.

use russet_core::Event;
use russet_engine::{EngineError, Scheduler};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::events::EventsFile;
use super::plan::Plan;
use super::progress::{Board, News, Progress, wants_reason};
use super::stop::Signals;
use super::too_large::TooLarge;
use super::worker::Working;
use super::{RunError, limits};
use crate::text::lasting;

/// How the work came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Every task has ended, but for those that this run can never do.
    Done,
    /// The user stopped it.
    Stopped,
}

/// What it keeps together.
pub(super) struct Conductor<'a> {
    pub plan: &'a Plan,
    pub scheduler: &'a Scheduler,
    pub work: &'a mut Working,
    pub board: Board,
    pub too_large: &'a TooLarge<'a>,
    pub progress: Progress,
    pub events: mpsc::UnboundedReceiver<Vec<Event>>,
    pub file: Option<&'a EventsFile>,
    pub signals: Signals,
}

impl Conductor<'_> {
    /// Works until nothing is left that can be done, or the user has stopped it.
    ///
    /// # Errors
    /// The scheduler cannot go on, or events cannot be written.
    pub async fn conduct(&mut self) -> Result<Finish, RunError> {
        let mut redraw = interval(limits::REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let moves = self.progress.moves();
        let mut stopping = false;
        // When running tasks are ended, if they are still running then.
        let mut grace: Option<Instant> = None;
        while !self.is_over() {
            tokio::select! {
                biased;
                Some(events) = self.events.recv() => self.hear(events).await?,
                () = self.scheduler.broken() => return Err(EngineError::Broken.into()),
                ended = self.work.ended() => return ended.map(|()| Finish::Stopped),
                () = self.signals.next() => {
                    grace = self.stop(stopping);
                    stopping = true;
                }
                () = over(grace), if grace.is_some() => grace = self.stop(true),
                _ = redraw.tick(), if moves => self.progress.show("", self.plan, &self.board),
            }
        }
        Ok(Finish::Done)
    }

    fn is_over(&self) -> bool {
        let board = &self.board;
        let ended = |task| board.ended_as(task);
        // While a task runs there is no need to look at all the others.
        let rests = board.running().len() == 0;
        board.is_done() || rests && self.too_large.is_all_that_is_left(ended)
    }

    /// Stops: gently at first, at once when it was asked for before. Returns when to stop
    /// again.
    fn stop(&self, again: bool) -> Option<Instant> {
        self.work.stop();
        if again {
            self.progress.say("ending the running tasks");
            self.work.give_back_all();
            return None;
        }
        let (running, grace) = (self.board.running().len(), lasting(limits::STOP_GRACE));
        self.progress.say(&match running {
            0 => "stopping".to_owned(),
            1 => format!("stopping: waiting up to {grace} for a running task; Ctrl-C again ends it"),
            _ => format!("stopping: waiting up to {grace} for {running} running tasks; Ctrl-C again ends them"),
        });
        Some(Instant::now() + limits::STOP_GRACE)
    }

    /// Takes note of these events, and of all that have come meanwhile.
    async fn hear(&mut self, mut events: Vec<Event>) -> Result<(), RunError> {
        while let Ok(more) = self.events.try_recv() {
            events.extend(more);
        }
        let mut lines = String::new();
        for event in &events {
            if let Some(news) = self.board.apply(event, self.plan) {
                self.tell(&mut lines, event, news).await?;
            }
        }
        self.progress.show(&lines, self.plan, &self.board);
        self.file.map_or(Ok(()), EventsFile::check)
    }

    async fn tell(
        &self,
        lines: &mut String,
        event: &Event,
        news: (usize, News),
    ) -> Result<(), RunError> {
        let task = match wants_reason(news.1) {
            true => self.scheduler.get(event.task).await?,
            false => None,
        };
        self.progress
            .tell(lines, self.plan, &self.board, news, task.as_deref());
        Ok(())
    }
}

/// Waits until then.
async fn over(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
