use std::path::{Path, PathBuf};

use clap::Args;
use russet_core::planted::Bug;

use super::children::Job;
use super::one::bug;
use super::{CliError, Plan, WorldKind, pretty, read_plan, regressions};
use crate::plan::{Act, ClockPlan};

/// Runs that a shrink may take.
const TRIES: usize = 600;

/// Finds a smaller plan that breaks the same promise, and keeps it as a regression.
#[derive(Args)]
pub(super) struct Shrink {
    /// The seed.
    #[arg(required_unless_present = "plan")]
    seed: Option<u64>,
    /// The world.
    #[arg(long, value_enum, default_value = "memory")]
    world: WorldKind,
    /// A file with a plan, instead of a seed.
    #[arg(long, conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// A planted bug that the plan breaks a promise with.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Where the smaller plan is written; sim/regressions/WORLD-PROMISE-SEED.json when absent.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Tries plans, and remembers the smallest that still fails.
struct Shrinker {
    best: Plan,
    promise: String,
    bug: Option<Bug>,
    tries: usize,
    scratch: PathBuf,
}

impl Shrink {
    pub fn run(self) -> Result<bool, CliError> {
        let plan = match &self.plan {
            Some(path) => read_plan(path)?,
            None => Plan::of_seed(self.world, self.seed.unwrap_or(0)),
        };
        let scratch = std::env::temp_dir().join(format!("russet-sim-{}.json", std::process::id()));
        let Some(promise) = broken(&plan, &scratch, self.bug)? else {
            return Err(CliError::Refused(
                "this plan keeps every promise; there is nothing to shrink".to_owned(),
            ));
        };
        println!("{promise} is broken; looking for a smaller plan");
        let seed = plan.seed;
        let before = size(&plan);
        let mut shrinker = Shrinker {
            best: plan,
            promise,
            bug: self.bug,
            tries: 0,
            scratch,
        };
        shrinker.shrink()?;
        // A file that is left behind does no harm.
        let _ = std::fs::remove_file(&shrinker.scratch);
        let world = shrinker.best.world.as_str();
        let name = format!("{world}-{}-{seed}.json", shrinker.promise.replace(' ', "-"));
        let out = self
            .out
            .unwrap_or_else(|| Path::new(regressions::FOLDER).join(name));
        write(&out, &shrinker.best)?;
        let after = size(&shrinker.best);
        println!(
            "from {before} to {after} parts in {} runs: {}",
            shrinker.tries,
            out.display()
        );
        Ok(true)
    }
}

fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
    let wrong = |source| CliError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(path, pretty(plan) + "\n").map_err(wrong)
}

/// The first promise that a plan breaks.
fn broken(plan: &Plan, scratch: &Path, bug: Option<Bug>) -> Result<Option<String>, CliError> {
    write(scratch, plan)?;
    let verdict = Job::File(scratch).run(bug)?;
    Ok(verdict.broken.first().map(|broken| broken.promise.clone()))
}

/// How many parts a plan has.
fn size(plan: &Plan) -> usize {
    plan.steps.len()
        + plan.tasks().count()
        + plan.faults.len()
        + plan.workers.len()
        + plan.clocks.len()
}

impl Shrinker {
    fn shrink(&mut self) -> Result<(), CliError> {
        loop {
            let before = size(&self.best);
            self.drop_faults()?;
            self.drop_steps()?;
            self.drop_tasks()?;
            self.drop_actors()?;
            self.simplify()?;
            if size(&self.best) >= before || self.tries >= TRIES {
                return Ok(());
            }
        }
    }

    /// Takes the plan if it still breaks the promise.
    fn try_plan(&mut self, plan: Plan) -> Result<bool, CliError> {
        if plan == self.best || self.tries >= TRIES {
            return Ok(false);
        }
        self.tries += 1;
        let found = broken(&plan, &self.scratch, self.bug)?;
        let still = found.as_ref() == Some(&self.promise);
        if still {
            self.best = plan;
        }
        Ok(still)
    }

    fn drop_faults(&mut self) -> Result<(), CliError> {
        for kind in self.best.faults.keys().copied().collect::<Vec<_>>() {
            let mut plan = self.best.clone();
            plan.faults.remove(&kind);
            self.try_plan(plan)?;
        }
        Ok(())
    }

    /// Drops halves of the steps, then quarters, down to single ones.
    fn drop_steps(&mut self) -> Result<(), CliError> {
        let mut part = self.best.steps.len().div_ceil(2);
        while part > 0 {
            let mut at = 0;
            while at < self.best.steps.len() {
                let mut plan = self.best.clone();
                let end = (at + part).min(plan.steps.len());
                drop_range(&mut plan, at, end);
                if !self.try_plan(plan)? {
                    at += part;
                }
            }
            part /= 2;
        }
        Ok(())
    }

    fn drop_tasks(&mut self) -> Result<(), CliError> {
        for step in 0..self.best.steps.len() {
            let mut at = 0;
            loop {
                let mut plan = self.best.clone();
                let (Act::Submit(tasks) | Act::Workflow { tasks, .. }) = &mut plan.steps[step].act
                else {
                    break;
                };
                if at >= tasks.len() || tasks.len() == 1 {
                    break;
                }
                tasks.remove(at);
                if !self.try_plan(plan)? {
                    at += 1;
                }
            }
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
        let changes: [fn(&mut Plan); 6] = [
            |plan| {
                plan.clocks
                    .iter_mut()
                    .for_each(|clock| *clock = ClockPlan::default())
            },
            |plan| plan.broken = 0,
            |plan| plan.partitions = 1,
            |plan| plan.split = false,
            |plan| plan.transaction_changes = None,
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

/// Drops steps, and what refers to them by position.
fn drop_range(plan: &mut Plan, from: usize, end: usize) {
    let gone = end - from;
    plan.steps.drain(from..end);
    plan.steps.retain_mut(|step| match &mut step.act {
        Act::Again(before) if (from..end).contains(before) => false,
        Act::Again(before) if *before >= end => {
            *before -= gone;
            true
        }
        _ => true,
    });
}
