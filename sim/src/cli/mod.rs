//! The commands of `cargo sim`.

mod batch;
mod bugs;
mod children;
mod meta;
mod one;
mod regressions;
mod replay;
mod report;
mod seeds;
mod shrink;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::plan::{Plan, WorldKind};
use seeds::{Seeds, seed};

/// Everything was as promised.
const KEPT: u8 = 0;
/// A promise was broken, or a check of the simulator itself failed.
const BROKEN: u8 = 1;
/// The command cannot be carried out as it was given.
const MISUSED: u8 = 2;

/// Proves Russet's promises seed by seed, in a simulated world.
#[derive(Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs many seeds, and checks every promise in each.
    Run(batch::Batch),
    /// Runs one seed again and shows what it broke.
    Replay(replay::Replay),
    /// Finds a smaller plan that breaks the same promise, and keeps it as a regression.
    Shrink(shrink::Shrink),
    /// Runs seeds in two processes each and compares their whole traces.
    Meta(meta::Meta),
    /// Prints the plan of a seed.
    Plan {
        /// The seed.
        #[arg(value_parser = seed)]
        seed: u64,
        /// The world.
        #[arg(long, value_enum, default_value = "memory")]
        world: WorldKind,
    },
    /// Plants bugs, one at a time, and shows which checker catches each.
    Bugs(bugs::Bugs),
    /// Runs the plans that have broken a promise once.
    Regressions(regressions::Regressions),
    /// Runs one plan in this process.
    #[command(hide = true)]
    One(one::One),
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// This build is not simulated.
    #[error(
        "this build cannot simulate: it was compiled without --cfg madsim. Start it as `cargo sim …`{why}"
    )]
    NotSimulated {
        /// What keeps the flag away.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}; name another file, or start this in the root of the repository", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not a plan.
    #[error("{} is not a plan: {source}; `cargo sim plan SEED` prints one", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A process of the simulator did not tell what became of it.
    #[error("{what}: {why}")]
    Child {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
    /// A request that cannot be.
    #[error("{0}")]
    Refused(String),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = simulated() {
        eprintln!("error: {error}");
        return ExitCode::from(MISUSED);
    }
    let done = match cli.command {
        Command::Run(batch) => batch.run(),
        Command::Replay(replay) => replay.run(),
        Command::Shrink(shrink) => shrink.run(),
        Command::Meta(meta) => meta.run(),
        Command::Plan { seed, world } => print_plan(seed, world),
        Command::Bugs(bugs) => bugs.run(),
        Command::Regressions(regressions) => regressions.run(),
        Command::One(one) => one.run(),
    };
    match done {
        Ok(true) => ExitCode::from(KEPT),
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(MISUSED)
        }
    }
}

/// A build without the simulated runtime would quietly run something else.
fn simulated() -> Result<(), CliError> {
    if cfg!(madsim) {
        return Ok(());
    }
    let flags = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ];
    let set = flags
        .into_iter()
        .find(|name| std::env::var_os(name).is_some());
    let why = match set {
        Some(name) => format!(
            ". The variable {name} is set, and cargo puts it in the place of the alias's flags: unset it, or add `--cfg madsim` to it"
        ),
        None => String::new(),
    };
    Err(CliError::NotSimulated { why })
}

fn print_plan(seed: u64, world: WorldKind) -> Result<bool, CliError> {
    use std::io::Write;
    // Whoever reads may have seen enough.
    let _ = writeln!(std::io::stdout(), "{}", pretty(&Plan::of_seed(world, seed)));
    Ok(true)
}

fn pretty(plan: &Plan) -> String {
    // A plan is plain data.
    serde_json::to_string_pretty(plan).unwrap_or_default()
}

fn read_plan(path: &std::path::Path) -> Result<Plan, CliError> {
    let text = std::fs::read(path).map_err(|source| {
        let path = path.to_owned();
        CliError::File { path, source }
    })?;
    serde_json::from_slice(&text).map_err(|source| {
        let path = path.to_owned();
        CliError::Plan { path, source }
    })
}
