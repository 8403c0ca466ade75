use std::ops::Range;

use crate::cli::CliError;
use crate::plan::{Act, ClockPlan, Plan, TaskPlan};

/// Runs that a shrink may take.
const TRIES: usize = 600;
/// Into how many parts a list is cut at most, until that leaves nothing out any more: a long one
/// that is needed as it is costs few runs.
const PARTS: usize = 32;

/// Tries plans, and remembers the smallest that still fails.
pub(super) struct Shrinker<F> {
    /// The smallest so far.
    pub best: Plan,
    /// How many were tried.
    pub tries: usize,
    parts: usize,
    fails: F,
}

/// How many parts a plan has.
pub(super) fn size(plan: &Plan) -> usize {
    let tasks = plan.tasks().map(|task| 1 + task.script.len());
    plan.steps.len()
        + tasks.sum::<usize>()
        + plan.faults.len()
        + plan.workers.len()
        + plan.clocks.len()
}

impl<F: FnMut(&Plan) -> Result<bool, CliError>> Shrinker<F> {
    /// Starts from a plan that fails; `fails` says whether a smaller one does too.
    pub fn new(plan: Plan, fails: F) -> Self {
        Self {
            best: plan,
            tries: 0,
            parts: PARTS,
            fails,
        }
    }

    /// Goes on until nothing can be left out any more.
    pub fn shrink(&mut self) -> Result<(), CliError> {
        loop {
            let before = size(&self.best);
            self.in_parts(|plan| plan.faults.len(), drop_faults)?;
            self.in_parts(|plan| plan.steps.len(), drop_steps)?;
            for step in 0..self.best.steps.len() {
                let tasks = |plan: &Plan| tasks(plan, step).map_or(0, Vec::len);
                self.in_parts(tasks, |plan, part| drop_tasks(plan, step, part))?;
                self.in_parts(tasks, |plan, part| make_plain(plan, step, part))?;
            }
            self.drop_actors()?;
            self.simplify()?;
            if self.tries >= TRIES {
                return Ok(());
            }
            if size(&self.best) >= before {
                let steps = 0..self.best.steps.len();
                let longest = steps
                    .filter_map(|step| tasks(&self.best, step))
                    .map(Vec::len);
                if longest.max().unwrap_or(0) < 2 * self.parts {
                    return Ok(());
                }
                self.parts *= 4;
            }
        }
    }

    /// Takes the plan if it still fails.
    fn try_plan(&mut self, plan: Plan) -> Result<bool, CliError> {
        if plan == self.best || self.tries >= TRIES {
            return Ok(false);
        }
        self.tries += 1;
        let still = (self.fails)(&plan)?;
        if still {
            self.best = plan;
        }
        Ok(still)
    }

    /// Changes halves of a list, then quarters, and so on.
    fn in_parts(
        &mut self,
        count: impl Fn(&Plan) -> usize,
        change: impl Fn(&mut Plan, Range<usize>),
    ) -> Result<(), CliError> {
        let all = count(&self.best);
        let least = (all / self.parts).max(1);
        let mut part = all.div_ceil(2);
        while part >= least {
            let mut at = 0;
            while at < count(&self.best) {
                let left = count(&self.best);
                let end = (at + part).min(left);
                let mut plan = self.best.clone();
                change(&mut plan, at..end);
                self.try_plan(plan)?;
                if count(&self.best) == left {
                    at = end;
                }
            }
            part /= 2;
        }
        Ok(())
    }

    fn drop_actors(&mut self) -> Result<(), CliError> {
        while self.best.workers.len() > 1 {
            let mut plan = self.best.clone();
            plan.workers.pop();
            if !self.try_plan(plan)? {
                break;
            }
        }
        while self.best.clocks.len() > 1 {
            let mut plan = self.best.clone();
            plan.clocks.pop();
            plan.broken = plan.broken.min(plan.clocks.len() as u8 - 1);
            if !self.try_plan(plan)? {
                break;
            }
        }
        Ok(())
    }

    fn simplify(&mut self) -> Result<(), CliError> {
        let changes: [fn(&mut Plan); 10] = [
            |plan| {
                plan.clocks
                    .iter_mut()
                    .for_each(|clock| *clock = ClockPlan::default())
            },
            |plan| plan.broken = 0,
            |plan| plan.partitions = 1,
            |plan| plan.clients = 1,
            |plan| plan.split = false,
            |plan| plan.cluster = None,
            |plan| plan.transaction_changes = None,
            |plan| plan.transaction_bytes = None,
            |plan| plan.acknowledged_by_replica = false,
            |plan| plan.latency_us = (1_000, 1_000),
        ];
        for change in changes {
            let mut plan = self.best.clone();
            change(&mut plan);
            self.try_plan(plan)?;
        }
        Ok(())
    }
}

fn drop_faults(plan: &mut Plan, part: Range<usize>) {
    let mut at = 0;
    plan.faults.retain(|_, _| {
        at += 1;
        !part.contains(&(at - 1))
    });
}

/// Drops steps, and what refers to them by position.
fn drop_steps(plan: &mut Plan, part: Range<usize>) {
    plan.steps.drain(part.clone());
    plan.steps.retain_mut(|step| match &mut step.act {
        Act::Again(before) if part.contains(before) => false,
        Act::Again(before) if *before >= part.end => {
            *before -= part.len();
            true
        }
        _ => true,
    });
}

/// The tasks that a step submits.
fn tasks(plan: &Plan, step: usize) -> Option<&Vec<TaskPlan>> {
    match &plan.steps.get(step)?.act {
        Act::Submit(tasks) | Act::Workflow { tasks, .. } => Some(tasks),
        _ => None,
    }
}

/// Drops tasks, but not all of them.
fn drop_tasks(plan: &mut Plan, step: usize, part: Range<usize>) {
    if let Act::Submit(tasks) | Act::Workflow { tasks, .. } = &mut plan.steps[step].act
        && part.len() < tasks.len()
    {
        tasks.drain(part);
    }
}

/// Lets tasks succeed at once, without anything special.
fn make_plain(plan: &mut Plan, step: usize, part: Range<usize>) {
    if let Act::Submit(tasks) | Act::Workflow { tasks, .. } = &mut plan.steps[step].act {
        for task in &mut tasks[part] {
            *task = TaskPlan {
                number: task.number,
                queue: task.queue,
                partition: task.partition,
                max_retries: task.max_retries,
                backoff_ms: task.backoff_ms,
                lease_ms: task.lease_ms,
                dependencies: std::mem::take(&mut task.dependencies),
                key: task.key,
                window_ms: task.window_ms,
                ..TaskPlan::default()
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WorldKind;

    /// A plan with a workflow of so many tasks among others.
    fn plan(count: u32) -> Plan {
        let mut plan = Plan::of_seed(WorldKind::Memory, 7);
        let tasks = (0..count).map(|n| TaskPlan {
            number: 10_000 + n,
            ..TaskPlan::default()
        });
        let act = Act::Workflow {
            key: None,
            tasks: tasks.collect(),
        };
        plan.steps[3].act = act;
        plan
    }

    fn shrunk(plan: Plan, fails: impl Fn(&Plan) -> bool) -> (Plan, usize) {
        let mut shrinker = Shrinker::new(plan, |plan| Ok(fails(plan)));
        shrinker.shrink().expect("every plan is tried");
        (shrinker.best, shrinker.tries)
    }

    #[test]
    fn what_is_not_needed_of_a_large_workflow_is_left_out() {
        let needed = [10_003, 10_150, 10_299];
        let fails = |plan: &Plan| {
            let all: Vec<_> = plan.tasks().map(|task| task.number).collect();
            needed.iter().all(|number| all.contains(number))
        };
        let (best, tries) = shrunk(plan(300), fails);
        let left: Vec<_> = best.tasks().map(|task| task.number).collect();
        assert_eq!((left.as_slice(), best.steps.len()), (&needed[..], 1));
        assert!(tries < 200, "{tries} runs");
    }

    #[test]
    fn a_workflow_that_must_be_large_becomes_as_small_as_it_can() {
        let fails = |plan: &Plan| plan.tasks().count() > 100;
        let (best, tries) = shrunk(plan(300), fails);
        assert_eq!(best.tasks().count(), 101);
        assert!(tries < TRIES, "{tries} runs");
    }
}
