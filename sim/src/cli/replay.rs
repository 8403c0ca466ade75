use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::children::Job;
use super::report::{Sum, failure};
use super::{CliError, WorldKind};

/// Runs one seed again and shows what it broke.
#[derive(Args)]
pub(super) struct Replay {
    /// The seed.
    #[arg(required_unless_present = "plan")]
    seed: Option<u64>,
    /// The world.
    #[arg(long, value_enum, default_value = "memory")]
    world: WorldKind,
    /// A file with a plan, instead of a seed.
    #[arg(long, conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// Prints everything that happens before.
    #[arg(long)]
    trace: bool,
}

impl Replay {
    pub fn run(self) -> Result<bool, CliError> {
        let job = match (&self.plan, self.seed) {
            (Some(path), _) => Job::File(path),
            (None, seed) => Job::Seed(self.world, seed.unwrap_or(0)),
        };
        if self.trace {
            let trace = job.trace()?;
            // Whoever reads may have seen enough.
            let _ = std::io::stdout().write_all(&trace);
        }
        let begun = std::time::Instant::now();
        let verdict = job.run(None)?;
        let mut sum = Sum::default();
        sum.add(&verdict);
        print!("{}", sum.text(begun.elapsed()));
        if verdict.broken.is_empty() {
            println!("every promise was kept");
            return Ok(true);
        }
        print!("{}", failure(&job, &verdict.broken));
        Ok(false)
    }
}
