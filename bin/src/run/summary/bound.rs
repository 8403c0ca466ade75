use std::sync::Arc;
use std::time::Duration;

use russet_core::Task;

use super::run_time;
use crate::run::conditions::Conditions;
use crate::run::limits;
use crate::run::plan::Plan;
use crate::run::work::sped_up;
use crate::text::on_one_line;
use crate::workflow::{Work, Workflow};

/// What no order of the tasks can beat: the longest path, and the sum of all run times shared
/// among as many tasks as run at once. Sleeps count as long as they are to last, commands as
/// long as they took.
#[derive(Debug)]
pub(super) struct Bound {
    time: Duration,
    path: Vec<String>,
    path_time: Duration,
    /// Commands were measured, so that the bound is one after the fact.
    measured: bool,
}

impl Bound {
    pub fn new(plan: &Plan, tasks: &[Arc<Task>], conditions: Conditions) -> Self {
        let timed = timed(plan, tasks, conditions.speedup);
        let critical = timed.critical_path();
        let shared = timed
            .total_run_time()
            .div_f64(conditions.concurrency as f64);
        let path = critical.tasks.iter();
        let path = path.map(|at| on_one_line(plan.name(*at), limits::SHOWN_CHARS));
        Self {
            time: critical.run_time.max(shared),
            path: path.collect(),
            path_time: critical.run_time,
            measured: plan
                .workflow
                .tasks
                .iter()
                .any(|spec| matches!(spec.work, Work::Run(_))),
        }
    }

    /// How a makespan in seconds compares.
    pub fn beside(&self, makespan: f64) -> String {
        let bound = self.time.as_secs_f64();
        let what = if self.measured {
            "the bound by measured run times"
        } else {
            "the bound"
        };
        let ratio = match bound {
            0.0 => String::new(),
            _ => format!("{:.3} times ", makespan / bound),
        };
        let path = self.path_time.as_secs_f64();
        format!(
            "{ratio}{what} {bound:.3} s; longest path {path:.3} s: {}",
            self.names()
        )
    }

    fn names(&self) -> String {
        let arrow = ", then ";
        if self.path.len() <= limits::PATH_NAMES {
            return self.path.join(arrow);
        }
        let (first, rest) = self.path.split_at(limits::PATH_NAMES / 2);
        let last = &rest[rest.len() - limits::PATH_NAMES / 2..];
        let between = rest.len() - last.len();
        let (first, last) = (first.join(arrow), last.join(arrow));
        format!("{first}{arrow}{between} more{arrow}{last}")
    }
}

/// The workflow with the time that each task takes in this run.
fn timed(plan: &Plan, tasks: &[Arc<Task>], speedup: f64) -> Workflow {
    let mut workflow = plan.workflow.clone();
    for (spec, task) in workflow.tasks.iter_mut().zip(tasks) {
        let time = match &spec.work {
            Work::Sleep(_) if task.attempt == 0 => Duration::ZERO,
            Work::Sleep(time) => sped_up(*time, speedup),
            Work::Run(_) => run_time(task),
        };
        spec.work = Work::Sleep(time);
    }
    workflow
}
