use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{CliError, Global, input};
use crate::log::{self, LogFormat};
use crate::run::{Display, Options, limits, run};

/// `russet run FILE`
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Run {
    /// A Russet workflow (YAML or JSON), or a WfFormat 1.5 instance; - for standard input, with
    /// --data-dir.
    pub file: PathBuf,
    /// Where the run keeps its state; the same command goes on where it was. When absent:
    /// FILE's name with `.russet-data` for its extension, in the current directory.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Most tasks that run at once. When absent: the number of processors, or 64 when no task
    /// runs a command, since sleeping takes no processor.
    #[arg(long, value_name = "N", value_parser = concurrency, allow_negative_numbers = true)]
    pub concurrency: Option<usize>,
    /// Divides the time of every task that sleeps, as all tasks of a WfFormat instance do.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        value_parser = speedup,
        allow_negative_numbers = true
    )]
    pub speedup: f64,
    /// What the tasks that run at once may use together, such as cpu=8,memory_mb=16384; a
    /// resource that is not named is not limited. When absent, no resource is. A task that needs
    /// more is kept for a run that has more, and all else runs.
    #[arg(long, value_name = "NAME=AMOUNT,…", value_parser = input::amounts)]
    pub capacity: Option<std::vec::Vec<(String, u64)>>,
    /// Write one JSON object for each event to this file, over all sessions of the run. A file
    /// that holds something else is refused; events of an earlier run are replaced.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Forget what an earlier run of the file did, and start anew.
    #[arg(long)]
    pub fresh: bool,
    /// Run once more what did not succeed, and keep what did. The file may have changed
    /// meanwhile, but for the tasks that succeeded.
    #[arg(long, conflicts_with = "fresh")]
    pub retry_failed: bool,
}

/// A number that [`run`] checks, or why it is none.
fn concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|_| format!("it is not a number from 1 to {}", limits::CONCURRENCY))
}

/// A number that [`run`] checks, or why it is none.
fn speedup(text: &str) -> Result<f64, String> {
    let (least, most) = (limits::SPEEDUP.start(), limits::SPEEDUP.end());
    let number = text.parse();
    number.map_err(|_| format!("it is not a number from {least} to {most}"))
}

const AFTER_HELP: &str = "\
Stopped or killed at any moment, the same command goes on where it was: no task that succeeded \
runs again, and one that was running is started anew. Ctrl-C waits for running tasks, a second \
one ends them. When tasks failed, --retry-failed runs them and what was cancelled because of them \
once more.

A command runs with `sh -c` in the current directory, with RUSSET_TASK and RUSSET_ATTEMPT but \
no other RUSSET_ variable except RUSSET_GUARD, a mark by which it is found, without input; its \
output is in DIR/logs/TASK.log. Unless the file says otherwise a task that fails is tried 3 times \
more, after 1 s, 2 s and 4 s.

With --json the only line on standard output is, at the end:
{\"workflow\",\"tasks\",\"succeeded\",\"dead\",\"cancelled\",\"not_ended\",\"attempts\",\"makespan_ms\"}
where the makespan is from the first start to the last end, over all sessions of the run.

Exit status: 0 every task that was needed succeeded, 1 some did not or the run could not go on, \
2 the command line, the file or the data directory cannot be, 130 the run was stopped.";

impl Run {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode, CliError> {
        // What the worker warns of, the run says itself.
        log::start(LogFormat::Text, "warn,russet::worker=error")?;
        let options = Options {
            file: self.file,
            data_dir: self.data_dir,
            concurrency: self.concurrency,
            speedup: self.speedup,
            capacity: self.capacity,
            events: self.events,
            json: global.json,
            fresh: self.fresh,
            retry_failed: self.retry_failed,
            display: if global.quiet {
                Display::Silent
            } else {
                Display::Automatic
            },
        };
        let ended = run(&options)?;
        Ok(ExitCode::from(ended.exit_status()))
    }
}
