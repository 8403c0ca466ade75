mod shrinker;

use std::path::{Path, PathBuf};

use clap::Args;
use russet_core::planted::Bug;

use super::children::Job;
use super::one::bug;
use super::seeds::seed;
use super::{CliError, Plan, WorldKind, pretty, read_plan, regressions};
use shrinker::{Shrinker, size};

/// Finds a smaller plan that breaks the same promise, and keeps it as a regression.
#[derive(Args)]
#[command(override_usage = "cargo sim shrink [OPTIONS] <SEED | --plan FILE>")]
pub(super) struct Shrink {
    /// The seed.
    #[arg(required_unless_present = "plan", value_parser = seed)]
    seed: Option<u64>,
    /// The world.
    #[arg(long, value_enum, default_value = "memory")]
    world: WorldKind,
    /// A file with a plan, instead of a seed.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// A planted bug that the plan breaks a promise with. Then --out is needed: it is no regression.
    #[arg(long, value_parser = bug, requires = "out")]
    bug: Option<Bug>,
    /// Where the smaller plan is written; sim/regressions/WORLD-PROMISE-SEED.json when absent.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Shrink {
    pub fn run(self) -> Result<bool, CliError> {
        let plan = match &self.plan {
            Some(path) => read_plan(path)?,
            None => Plan::of_seed(self.world, self.seed.unwrap_or(0)),
        };
        let scratch = std::env::temp_dir().join(format!("russet-sim-{}.json", std::process::id()));
        let Some(promise) = broken(&plan, &scratch, self.bug)? else {
            return Err(CliError::Refused(format!(
                "this plan keeps every promise in the world {}; there is nothing to shrink. Was it another --world, or a --bug?",
                plan.world.as_str()
            )));
        };
        println!("{promise} is broken; looking for a smaller plan");
        let seed = plan.seed;
        let before = size(&plan);
        let mut shrinker = Shrinker::new(plan, |plan| {
            Ok(broken(plan, &scratch, self.bug)?.as_ref() == Some(&promise))
        });
        shrinker.shrink()?;
        // A file that is left behind does no harm.
        let _ = std::fs::remove_file(&scratch);
        let world = shrinker.best.world.as_str();
        let name = format!("{world}-{}-{seed}.json", promise.replace(' ', "-"));
        let out = self
            .out
            .unwrap_or_else(|| Path::new(regressions::FOLDER).join(name));
        write(&out, &shrinker.best)?;
        let after = size(&shrinker.best);
        let planted = self
            .bug
            .map_or_else(String::new, |bug| format!(" --bug {}", bug.as_str()));
        println!(
            "from {before} to {after} parts (steps, tasks and their attempts, faults, workers, nodes) in {} runs",
            shrinker.tries
        );
        println!(
            "look at it: cargo sim replay --plan {}{planted} --trace",
            out.display()
        );
        if self.bug.is_none() {
            println!(
                "commit it with the fix: `cargo sim regressions` and the tests run it from now on"
            );
        }
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
