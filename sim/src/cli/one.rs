use std::path::PathBuf;

use clap::Args;
use russet_core::planted::{self, Bug};

use super::{CliError, Plan, WorldKind, read_plan};
use crate::check::{Run, show};
use crate::verdict::Verdict;

/// Runs one plan in this process, and prints its verdict as a line of JSON.
#[derive(Args)]
pub(super) struct One {
    /// The seed.
    #[arg(default_value_t = 0)]
    seed: u64,
    /// The world.
    #[arg(long, value_enum, default_value = "memory")]
    world: WorldKind,
    /// A plan to run instead of the seed's.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// A bug to plant.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Prints everything that happens instead.
    #[arg(long)]
    trace: bool,
    /// Prints it as the simulator keeps it.
    #[arg(long)]
    raw: bool,
    /// Prints only what names this.
    #[arg(long)]
    about: Option<String>,
}

/// A bug by its name.
pub(super) fn bug(name: &str) -> Result<Bug, String> {
    Bug::ALL
        .into_iter()
        .find(|bug| bug.as_str() == name)
        .ok_or_else(|| {
            let names: Vec<_> = Bug::ALL.iter().map(|bug| bug.as_str()).collect();
            format!(
                "there is no such bug; these can be planted: {}",
                names.join(", ")
            )
        })
}

impl One {
    pub fn run(self) -> Result<bool, CliError> {
        let plan = match &self.plan {
            Some(path) => read_plan(path)?,
            None => Plan::of_seed(self.world, self.seed),
        };
        if let Some(bug) = self.bug {
            planted::plant(bug);
        }
        let begun = std::time::Instant::now();
        let outcome = simulate(plan.clone())?;
        let run = Run {
            plan: &plan,
            entries: &outcome.entries,
            healed: outcome.healed,
            ended: outcome.ended,
        };
        if self.trace {
            match self.raw {
                true => print_lines(run.entries.iter().map(|e| format!("{} {:?}", e.at, e.what))),
                false => print_lines(show::all(&run, self.about.as_deref())),
            }
            return Ok(true);
        }
        let mut verdict = Verdict::of(&run);
        verdict.wall_us = begun.elapsed().as_micros() as u64;
        let line = serde_json::to_string(&verdict).unwrap_or_default();
        println!("{line}");
        Ok(verdict.broken.is_empty())
    }
}

fn print_lines(lines: impl Iterator<Item = String>) {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        // Whoever reads may have seen enough.
        let _ = writeln!(out, "{line}");
    }
}

/// On a thread of its own, so that nothing was drawn on it before; a panic inside the world
/// ends the process with its message.
#[cfg(madsim)]
fn simulate(plan: Plan) -> Result<crate::world::Outcome, CliError> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let planned = panic.payload().downcast_ref::<&str>();
        if planned.is_none_or(|text| *text != crate::world::PLANNED_PANIC) {
            usual(panic);
        }
    }));
    let running = std::thread::spawn(move || crate::world::run(&plan));
    running.join().map_err(|_| CliError::Child {
        what: "the world".to_owned(),
        why: "it panicked".to_owned(),
    })
}

#[cfg(not(madsim))]
fn simulate(_: Plan) -> Result<Outcome, CliError> {
    Err(CliError::NotSimulated { why: String::new() })
}

/// What a build that cannot simulate would have returned.
#[cfg(not(madsim))]
struct Outcome {
    entries: Vec<crate::history::Entry>,
    healed: crate::history::At,
    ended: crate::history::At,
}
