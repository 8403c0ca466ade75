//! Runs plans in processes of their own: a second run in the same process would differ.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use russet_core::planted::Bug;

use super::{CliError, WorldKind};
use crate::verdict::{Broken, Verdict};

/// What a process is to run.
#[derive(Clone, Debug)]
pub(super) enum Job<'a> {
    /// A seed's plan.
    Seed(WorldKind, u64),
    /// The plan in a file.
    File(&'a Path),
}

/// As it is named on the command line.
impl std::fmt::Display for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seed(world, seed) => write!(f, "{seed} --world {}", world.as_str()),
            Self::File(path) => write!(f, "--plan {}", path.display()),
        }
    }
}

impl Job<'_> {
    fn command(&self, bug: Option<Bug>) -> Result<Command, CliError> {
        let own = std::env::current_exe().map_err(|error| CliError::Child {
            what: "the simulator's own program".to_owned(),
            why: error.to_string(),
        })?;
        let mut command = Command::new(own);
        command.arg("one");
        match self {
            Self::Seed(world, seed) => {
                command
                    .arg(seed.to_string())
                    .args(["--world", world.as_str()]);
            }
            Self::File(path) => {
                command.arg("--plan").arg(path);
            }
        }
        if let Some(bug) = bug {
            command.args(["--bug", bug.as_str()]);
        }
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        Ok(command)
    }

    /// Runs it. A process that panics has broken a promise too.
    pub fn run(&self, bug: Option<Bug>) -> Result<Verdict, CliError> {
        let failed = |why: String| CliError::Child {
            what: self.to_string(),
            why: why.trim().trim_start_matches("error: ").to_owned(),
        };
        let output = self
            .command(bug)?
            .output()
            .map_err(|e| failed(e.to_string()))?;
        if let Ok(verdict) = serde_json::from_slice(&output.stdout) {
            return Ok(verdict);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(code) if code == i32::from(super::MISUSED) && !said.contains("panicked") => {
                Err(failed(said.into_owned()))
            }
            _ => Ok(Verdict {
                broken: vec![panicked(&said)],
                ..Verdict::default()
            }),
        }
    }

    /// Everything that happens in it, as text: with more arguments of the process.
    pub fn trace(&self, bug: Option<Bug>, how: &[&str]) -> Result<Vec<u8>, CliError> {
        let output = self.command(bug)?.arg("--trace").args(how).output();
        let output = output.map_err(|error| CliError::Child {
            what: self.to_string(),
            why: error.to_string(),
        })?;
        Ok([output.stdout, output.stderr].concat())
    }
}

fn panicked(said: &str) -> Broken {
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<_> = lines.take(12).map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.contains("panicked at"));
    let what = at.and_then(|at| lines.get(at + 1)).cloned();
    Broken {
        promise: "no panic".to_owned(),
        what: what.unwrap_or_else(|| "the process ended without a verdict".to_owned()),
        shown_by: lines,
    }
}

/// Runs jobs side by side, and hands each verdict to `told` as it comes; `told` says whether to
/// go on.
pub(super) fn run_all<'a>(
    jobs: &[Job<'a>],
    side_by_side: usize,
    bug: Option<Bug>,
    mut told: impl FnMut(&Job<'a>, Verdict) -> bool + Send,
) -> Result<(), CliError> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let shared = Mutex::new((&mut told, Ok(())));
    std::thread::scope(|scope| {
        for _ in 0..side_by_side.max(1) {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    let result = job.run(bug);
                    let mut shared = shared
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    let go_on = match result {
                        Ok(verdict) => (shared.0)(job, verdict),
                        Err(error) => {
                            shared.1 = Err(error);
                            false
                        }
                    };
                    if !go_on {
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    shared
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .1
}

/// How many processes run side by side unless told otherwise.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
