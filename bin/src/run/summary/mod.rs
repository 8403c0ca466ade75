//! What a run came to, from the records alone: another look at the same data says the same.

mod bound;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russet_core::{End, ErrorKind, Millis, Status, Task, Timestamp};
use serde::Serialize;

use super::conditions::Conditions;
use super::limits;
use super::plan::Plan;
use super::progress::brief;
use super::too_large::{Left, TooLarge};
use super::unmet::explain;
use super::worker::log_path;
use crate::text::{counted, few, on_one_line};
use crate::workflow::Work;
use bound::Bound;

/// What a run came to.
#[derive(Debug)]
pub(super) struct Summary {
    totals: Totals,
    not_needed: usize,
    failures: Vec<Failure>,
    cancelled: Vec<String>,
    /// Of a run that did all that was needed, at one go.
    bound: Option<Bound>,
    /// How many sessions held a lease last of some task: there may have been more.
    sessions: usize,
    /// What the run has too little for.
    left: Left,
    /// Where the output of commands is, if any ran.
    logs: Option<PathBuf>,
}

/// The numbers that `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Totals {
    workflow: String,
    tasks: usize,
    succeeded: usize,
    dead: usize,
    cancelled: usize,
    not_ended: usize,
    attempts: u64,
    /// From the first start to the last end, over all sessions.
    makespan_ms: u64,
}

#[derive(Debug)]
struct Failure {
    task: String,
    attempts: u64,
    error: String,
    log: Option<PathBuf>,
}

/// Whether a task that was needed failed, or was cancelled.
pub(super) fn needs_another_run(tasks: &[Arc<Task>]) -> bool {
    let in_vain = |task: &Arc<Task>| matches!(task.end(), Some(End::Dead | End::Cancelled));
    tasks.iter().any(in_vain)
}

impl Summary {
    /// Sums up `tasks`, all tasks of the plan in its order. Without `conditions` there is no
    /// bound; the logs of commands are in `logs`.
    pub fn new(
        plan: &Plan,
        tasks: &[Arc<Task>],
        conditions: Option<Conditions>,
        logs: &Path,
        too_large: &TooLarge<'_>,
    ) -> Self {
        let count = |wanted| tasks.iter().filter(|task| task.status == wanted).count();
        let ended = |end: Option<End>| {
            let positions = 0..tasks.len();
            positions.filter(move |position| tasks[*position].end() == end)
        };
        let has_log = |position: usize| {
            let work = &plan.workflow.tasks[position].work;
            matches!(work, Work::Run(_)) && tasks[position].attempt > 0
        };
        let failure = |position: usize| Failure {
            task: plan.name(position).to_owned(),
            attempts: tasks[position].attempt,
            error: why(plan, tasks, position),
            log: has_log(position).then(|| log_path(logs, plan.name(position))),
        };
        let is_done = |task: &Arc<Task>| task.status.is_terminal();
        let is_success = tasks.iter().all(is_done) && !needs_another_run(tasks);
        let conditions = conditions.filter(|_| is_success);
        let workers = tasks.iter().filter_map(|task| task.lease.as_ref());
        let sessions: BTreeSet<_> = workers.map(|lease| &lease.worker).collect();
        Self {
            totals: Totals {
                workflow: plan.workflow.name.clone(),
                tasks: tasks.len(),
                succeeded: count(Status::Succeeded),
                dead: count(Status::Dead),
                cancelled: count(Status::Cancelled),
                not_ended: ended(None).count(),
                attempts: tasks.iter().map(|task| task.attempt).sum(),
                makespan_ms: makespan(plan, tasks).as_millis(),
            },
            not_needed: ended(Some(End::NotNeeded)).count(),
            failures: ended(Some(End::Dead)).map(failure).collect(),
            cancelled: ended(Some(End::Cancelled))
                .map(|position| plan.name(position).to_owned())
                .collect(),
            bound: conditions.map(|conditions| Bound::new(plan, tasks, conditions)),
            sessions: sessions.len(),
            left: too_large.left(|position| tasks[position].end()),
            logs: (0..tasks.len()).any(has_log).then(|| logs.to_owned()),
        }
    }

    /// Whether every task that was needed succeeded.
    pub fn is_success(&self) -> bool {
        self.totals.not_ended == 0 && !self.has_failures()
    }

    /// Whether any task that was needed failed, or was cancelled.
    pub fn has_failures(&self) -> bool {
        !self.failures.is_empty() || !self.cancelled.is_empty()
    }

    /// What the run has too little for.
    pub const fn left(&self) -> &Left {
        &self.left
    }

    /// How many tasks failed, and how many were cancelled because of that or by a user.
    pub fn unsuccessful(&self) -> String {
        let counts = [
            (self.failures.len(), "dead"),
            (self.cancelled.len(), "cancelled"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        counts.join(", ")
    }

    /// The one line that `--json` prints.
    pub fn json(&self) -> String {
        serde_json::to_string(&self.totals).expect("texts and numbers become JSON")
    }
}

/// Why a task failed.
fn why(plan: &Plan, tasks: &[Arc<Task>], position: usize) -> String {
    let error = tasks[position].last_error.as_deref();
    let end = |parent: usize| tasks[parent].end();
    error
        .filter(|error| error.kind == ErrorKind::DependencyUnsatisfied)
        .and_then(|_| explain(&plan.workflow, position, end))
        .unwrap_or_else(|| brief(error))
}

/// From the first start to the last end. A task that was started several times remembers only
/// its last start: what could start at once then counts from when it could.
fn makespan(plan: &Plan, tasks: &[Arc<Task>]) -> Millis {
    let roots = plan.workflow.tasks.iter().zip(tasks);
    let roots = roots.filter(|(spec, task)| spec.depends_on.is_empty() && task.attempt > 0);
    let starts = roots.filter_map(|(spec, task)| match task.attempt {
        1 => task.started_at,
        _ => {
            let delay = spec.delay.unwrap_or_default().as_millis();
            Some(task.created_at + Millis::new(u64::try_from(delay).unwrap_or(u64::MAX)))
        }
    });
    let ran = tasks.iter().filter(|task| task.attempt > 0);
    let last = ran.filter_map(|task| task.completed_at).max();
    match (starts.min(), last) {
        (Some(first), Some(last)) => last.since(first),
        _ => Millis::ZERO,
    }
}

/// How long the last attempt of a task took.
fn run_time(task: &Task) -> Duration {
    let time = |(start, end): (Timestamp, Timestamp)| Duration::from(end.since(start));
    let both = task.started_at.zip(task.completed_at);
    both.filter(|_| task.attempt > 0)
        .map_or(Duration::ZERO, time)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            workflow,
            tasks,
            succeeded,
            dead,
            cancelled,
            not_ended,
            attempts,
            makespan_ms,
        } = &self.totals;
        let tasks = counted(*tasks as u64, "task");
        write!(f, "{workflow}: {succeeded} of {tasks} succeeded")?;
        let cancelled_as = match self.not_needed {
            0 => "cancelled".to_owned(),
            some => format!("cancelled ({some} not needed)"),
        };
        for (count, what) in [
            (dead, "dead"),
            (cancelled, cancelled_as.as_str()),
            (not_ended, "not ended"),
        ] {
            if *count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        write!(f, "; {}", counted(*attempts, "attempt"))?;
        if self.sessions > 1 {
            write!(f, " in more than one session")?;
        }
        writeln!(f)?;
        if *not_ended == 0 {
            let makespan = *makespan_ms as f64 / 1_000.0;
            let bound = self.bound.as_ref().map(|bound| bound.beside(makespan));
            let bound = bound.map_or_else(String::new, |bound| format!(", {bound}"));
            writeln!(f, "makespan {makespan:.3} s{bound}")?;
        }
        if let Some(logs) = &self.logs {
            writeln!(
                f,
                "output of the commands: {}",
                logs.join("*.log").display()
            )?;
        }
        self.failures(f)?;
        self.left.fmt(f)
    }
}

impl Summary {
    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(limits::FAILURES) {
            let task = on_one_line(&failure.task, limits::SHOWN_CHARS);
            let attempts = counted(failure.attempts, "attempt");
            writeln!(f, "failed: {task} ({attempts}): {}", failure.error)?;
            if let Some(log) = &failure.log {
                writeln!(f, "    log: {}", log.display())?;
            }
        }
        if let Some(more @ 1..) = self.failures.len().checked_sub(limits::FAILURES) {
            writeln!(f, "failed: {more} more")?;
        }
        if self.cancelled.is_empty() {
            return Ok(());
        }
        let names = few(&self.cancelled, limits::FAILURES, limits::SHOWN_CHARS);
        writeln!(f, "cancelled: {names}")
    }
}
