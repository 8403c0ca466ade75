use std::collections::BTreeSet;

use russet_core::{End, ErrorKind, Event, EventKind, Millis, Task, Timestamp};

use crate::run::plan::Plan;
use crate::run::unmet::explain;

/// Where every task is, as far as the events tell.
#[derive(Debug)]
pub(in crate::run) struct Board {
    states: Vec<State>,
    running: BTreeSet<usize>,
    succeeded: usize,
    dead: usize,
    cancelled: usize,
    not_needed: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    end: Option<End>,
    attempt: u64,
    started: Option<Timestamp>,
}

/// What is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum News {
    /// An attempt began.
    Started,
    /// The task succeeded, after its last attempt took this long.
    Succeeded(Millis),
    /// An attempt failed, and another one follows.
    Failed,
    /// The task failed for good.
    Dead,
    /// The task was cancelled.
    Cancelled,
    /// The task was there for a failure that did not happen.
    NotNeeded,
    /// The task was given back, since the run is being stopped.
    GivenBack,
}

impl Board {
    /// Where the tasks of an earlier session are, in the order of the file, or none of a new
    /// run.
    pub fn new(count: usize, tasks: &[std::sync::Arc<Task>]) -> Self {
        let mut board = Self {
            states: vec![State::default(); count],
            running: BTreeSet::new(),
            succeeded: 0,
            dead: 0,
            cancelled: 0,
            not_needed: 0,
        };
        for (position, task) in tasks.iter().enumerate() {
            board.states[position].attempt = task.attempt;
            if let Some(end) = task.end() {
                board.end(position, end);
            }
        }
        board
    }

    /// Takes note of an event; returns what it means, and for which task.
    pub fn apply(&mut self, event: &Event, plan: &Plan) -> Option<(usize, News)> {
        let position = plan.position(event.task)?;
        let state = &mut self.states[position];
        let news = match event.kind {
            EventKind::Leased => {
                state.attempt = event.attempt;
                state.started = Some(event.at);
                self.running.insert(position);
                News::Started
            }
            EventKind::Succeeded => {
                let took = state.started.map_or(Millis::ZERO, |at| event.at.since(at));
                self.end(position, End::Succeeded);
                News::Succeeded(took)
            }
            EventKind::Retried => {
                self.running.remove(&position);
                News::Failed
            }
            EventKind::Released => {
                self.running.remove(&position);
                News::GivenBack
            }
            EventKind::DeadLettered => {
                self.end(position, End::Dead);
                News::Dead
            }
            EventKind::Cancelled => {
                let end = match event.reason {
                    Some(ErrorKind::NotNeeded) => End::NotNeeded,
                    _ => End::Cancelled,
                };
                self.end(position, end);
                match end {
                    End::NotNeeded => News::NotNeeded,
                    _ => News::Cancelled,
                }
            }
            _ => return None,
        };
        Some((position, news))
    }

    fn end(&mut self, position: usize, end: End) {
        self.running.remove(&position);
        if self.states[position].end.replace(end).is_some() {
            return;
        }
        match end {
            End::Succeeded => self.succeeded += 1,
            End::Dead => self.dead += 1,
            End::Cancelled => self.cancelled += 1,
            End::NotNeeded => self.not_needed += 1,
        }
    }

    /// How many tasks there are.
    pub fn total(&self) -> usize {
        self.states.len()
    }

    /// How many tasks have ended.
    pub fn ended(&self) -> usize {
        self.succeeded + self.dead + self.cancelled + self.not_needed
    }

    /// How many tasks that were needed did not succeed.
    pub fn unsuccessful(&self) -> usize {
        self.dead + self.cancelled
    }

    /// Whether every task has ended.
    pub fn is_done(&self) -> bool {
        self.ended() == self.total()
    }

    /// How a task ended; `None` while it is live.
    pub fn ended_as(&self, position: usize) -> Option<End> {
        self.states[position].end
    }

    /// The tasks that are running, and since when.
    pub fn running(&self) -> impl ExactSizeIterator<Item = (usize, Timestamp)> {
        let since = |position: &usize| self.states[*position].started.unwrap_or_default();
        self.running.iter().map(move |at| (*at, since(at)))
    }

    /// Why a task that was never started ended.
    pub fn explain(&self, plan: &Plan, position: usize) -> String {
        let end = |position| self.ended_as(position);
        let why = explain(&plan.workflow, position, end);
        why.unwrap_or_else(|| "that was asked for".to_owned())
    }

    /// How often the task was started.
    pub fn attempt(&self, position: usize) -> u64 {
        self.states[position].attempt
    }
}
