use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use russet_core::planted::Bug;

use super::children::Job;
use super::one::bug;
use super::report::{Sum, failure};
use super::seeds::seed;
use super::{CliError, WorldKind};

/// Runs one seed again and shows what it broke.
#[derive(Args)]
#[command(override_usage = "cargo sim replay [OPTIONS] <SEED | --plan FILE>")]
pub(super) struct Replay {
    /// The seed.
    #[arg(required_unless_present = "plan", value_parser = seed)]
    seed: Option<u64>,
    /// The world.
    #[arg(long, value_enum, default_value = "memory")]
    world: WorldKind,
    /// A file with a plan, instead of a seed.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// A planted bug; `cargo sim bugs` names them.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Prints everything that happens before, a numbered line each; a failure names these numbers.
    #[arg(long)]
    trace: bool,
    /// Of the trace only what names this: the id of a task, node-1, worker-2 and the like.
    #[arg(long, value_name = "NAME", requires = "trace")]
    about: Option<String>,
    /// The trace as the simulator keeps it, with everything that it knows of each event.
    #[arg(long, requires = "trace", conflicts_with = "about")]
    raw: bool,
}

impl Replay {
    pub fn run(self) -> Result<bool, CliError> {
        let job = match (&self.plan, self.seed) {
            (Some(path), _) => Job::File(path),
            (None, seed) => Job::Seed(self.world, seed.unwrap_or(0)),
        };
        if self.trace {
            let about = self.about.iter().flat_map(|name| ["--about", name]);
            let how: Vec<&str> = self
                .raw
                .then_some("--raw")
                .into_iter()
                .chain(about)
                .collect();
            let trace = job.trace(self.bug, &how)?;
            // Whoever reads may have seen enough.
            let _ = std::io::stdout().write_all(&trace);
        }
        let begun = std::time::Instant::now();
        let verdict = job.run(self.bug)?;
        let mut sum = Sum::default();
        sum.add(&verdict);
        let mut text = format!("{job}: {}", sum.text(begun.elapsed()));
        match verdict.broken.is_empty() {
            true => text += "every promise was kept\n",
            false => text += &failure(&job, self.bug, &verdict.broken),
        }
        let _ = std::io::stdout().write_all(text.as_bytes());
        Ok(verdict.broken.is_empty())
    }
}
