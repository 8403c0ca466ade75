//! Tasks that need more than the run has: nothing here can ever hold them, and what waits for
//! them waits for ever. They are kept for a session that has more.

use std::fmt;

use russet_core::{End, IfUnsatisfied};

use super::limits;
use super::unmet::unmet;
use crate::text::few;
use crate::workflow::{Dependency, TaskSpec, Workflow};

/// Which tasks of a workflow need more than a run has.
#[derive(Debug)]
pub(super) struct TooLarge<'a> {
    workflow: &'a Workflow,
    /// What the run has. What is not named is not limited.
    has: &'a [(String, u64)],
    /// All tasks, each behind those that it waits for; empty when none is too large.
    order: Vec<usize>,
}

impl<'a> TooLarge<'a> {
    pub fn new(has: &'a [(String, u64)], workflow: &'a Workflow) -> Self {
        let mut tasks = workflow.tasks.iter();
        let any = tasks.any(|task| excess(has, task).next().is_some());
        Self {
            workflow,
            has,
            order: if any { workflow.order() } else { Vec::new() },
        }
    }

    /// Whether every task that has not ended is too large, or waits for one that is. `end`
    /// says how a task ended, `None` while it is live.
    pub fn is_all_that_is_left(&self, end: impl Fn(usize) -> Option<End> + Copy) -> bool {
        !self.order.is_empty() && self.live(end).all(|(_, is_held_up)| is_held_up)
    }

    /// What the run cannot do, in the order of the file.
    pub fn left(&self, end: impl Fn(usize) -> Option<End> + Copy) -> Left {
        let held_up = self.live(end).filter(|(_, is_held_up)| *is_held_up);
        let mut held_up: Vec<usize> = held_up.map(|(task, _)| task).collect();
        held_up.sort_unstable();
        let too_large = |task: &usize| self.is_too_large(*task);
        let (too_large, waiting): (Vec<_>, Vec<_>) = held_up.into_iter().partition(too_large);
        let enough = self.has.iter().map(|(name, has)| {
            let needs = too_large.iter().map(|task| self.spec(*task));
            let needs = needs.filter_map(|spec| spec.resources.get(name));
            (name.as_str(), needs.copied().fold(*has, u64::max))
        });
        let name = |task: &usize| self.spec(*task).name.clone();
        Left {
            has: amounts(self.has.iter().map(|(name, has)| (name.as_str(), *has))),
            enough: amounts(enough),
            waiting: waiting.iter().map(name).collect(),
            too_large: too_large
                .iter()
                .map(|task| format!("{} ({})", name(task), self.excess(*task)))
                .collect(),
        }
    }

    /// Each task that has not ended, and whether it comes no further in this run.
    fn live(
        &self,
        end: impl Fn(usize) -> Option<End> + Copy,
    ) -> impl Iterator<Item = (usize, bool)> {
        let mut held_up = vec![false; self.workflow.tasks.len()];
        let order = self.order.iter().copied();
        let live = order.filter(move |task| end(*task).is_none());
        live.map(move |task| {
            let waits = |edge: &Dependency| held_up[edge.task];
            let holds = self.is_too_large(task) || self.spec(task).depends_on.iter().any(waits);
            held_up[task] = holds && !self.is_about_to_end(task, end);
            (task, held_up[task])
        })
    }

    /// Whether a task only has to be told of another one's end to be cancelled or dead.
    fn is_about_to_end(&self, task: usize, end: impl Fn(usize) -> Option<End> + Copy) -> bool {
        let has_ended = |edge: &Dependency| end(edge.task).is_some();
        self.spec(task).if_unsatisfied != IfUnsatisfied::Run
            && unmet(self.workflow, task, end).any(has_ended)
    }

    fn is_too_large(&self, task: usize) -> bool {
        excess(self.has, self.spec(task)).next().is_some()
    }

    /// What a task needs too much of: `cpu=8`.
    fn excess(&self, task: usize) -> String {
        amounts(excess(self.has, self.spec(task)))
    }

    fn spec(&self, task: usize) -> &TaskSpec {
        &self.workflow.tasks[task]
    }
}

fn excess<'a>(
    has: &'a [(String, u64)],
    task: &'a TaskSpec,
) -> impl Iterator<Item = (&'a str, u64)> {
    has.iter().filter_map(|(name, has)| {
        let needs = *task.resources.get(name)?;
        (needs > *has).then_some((name.as_str(), needs))
    })
}

/// Amounts as `--capacity` takes them.
fn amounts<'a>(amounts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let amounts = amounts.map(|(name, amount)| format!("{name}={amount}"));
    amounts.collect::<Vec<_>>().join(",")
}

/// What a run cannot do, in words.
#[derive(Debug)]
pub(super) struct Left {
    /// What the run has.
    has: String,
    /// What would hold all of them, as `--capacity` takes it.
    pub enough: String,
    /// The tasks that need more, each with what it needs too much of.
    too_large: Vec<String>,
    /// The tasks that wait for these.
    waiting: Vec<String>,
}

impl Left {
    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.too_large.is_empty()
    }

    /// What is to be said before the run; nothing when it can do everything.
    pub fn warning(&self) -> Option<String> {
        let tasks = few(&self.too_large, limits::PATH_NAMES, limits::SHOWN_CHARS);
        (!self.is_empty()).then(|| {
            let has = &self.has;
            format!(
                "--capacity: nothing here can hold {tasks}, since this run has {has}: all else runs, and what is left is kept for a run that has more"
            )
        })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |names: &[String]| few(names, limits::FAILURES, limits::SHOWN_CHARS);
        if !self.too_large.is_empty() {
            let (has, tasks) = (&self.has, named(&self.too_large));
            writeln!(
                f,
                "not run, since nothing here can hold that: {tasks}; this run has {has}"
            )?;
        }
        if !self.waiting.is_empty() {
            let tasks = named(&self.waiting);
            writeln!(f, "not run, waiting for these: {tasks}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
