//! `russet worker`

mod execute;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use russet::{Stopped, Worker};

use super::{CliError, Global, input};
use crate::exec::{Guard, Program, limits};
use crate::log::{self, LogFormat};
use execute::Execute;

/// Most tasks that one worker runs at once.
const CONCURRENCY: usize = 10_000;

const AFTER_HELP: &str = "\
The command gets the task's payload (JSON) on its standard input, and nothing where the task has
none. Its exit status decides:
  0       the task succeeded; standard output is its result: as it is when it is JSON, as a
          text otherwise. A result of more than 1 MiB fails for good: write it to a file or a
          store, and print its name
  65      it failed for good (EX_DATAERR): it is dead-lettered without another try
  75      it is too early (EX_TEMPFAIL): it is tried again after --snooze, which uses no retry
  other   the attempt failed; it is tried again while there are retries. The end of standard
          error is kept as the task's last error

Its environment has RUSSET_TASK_ID, RUSSET_ATTEMPT, RUSSET_TYPE, RUSSET_QUEUE, RUSSET_PRIORITY,
RUSSET_RETRY_COUNT, RUSSET_MAX_RETRIES and, where the task has one, RUSSET_DEADLINE (RFC 3339),
RUSSET_WORKFLOW_ID, RUSSET_TASK_NAME and RUSSET_CHECKPOINT. RUSSET_GUARD is a mark by which it is
found again. No other RUSSET_ variable of the worker is passed on, its token least of all.

It runs in a process group of its own. When the task is cancelled, takes too long or is no longer
this worker's, or when the worker is stopped and --drain is over, the group gets SIGTERM, and
SIGKILL after --grace. Processes that it leaves behind in its group are killed when it ends, or
when the worker does, however that comes about.

A task is cancelled or given back when its command is gone. After a time-out or a lost lease the
server does not wait for that: the next attempt may begin while the command still has its grace,
unless the task's retry delay is longer than --grace.";

/// `russet worker`
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Work {
    /// A queue to serve; may be repeated.
    #[arg(long = "queue", value_name = "QUEUE", num_args = 1.., default_value = "default")]
    pub queues: Vec<String>,
    /// The command that is run for every task, with quotes as in a shell but without one.
    #[arg(long, value_name = "COMMAND")]
    pub exec: String,
    /// Run the command by `sh -c`, with variables, pipes and all.
    #[arg(long)]
    pub shell: bool,
    /// Only tasks of this type; may be repeated. Tasks of another type in its queues are taken
    /// and given back for 5 s: let a queue hold only types that all its workers handle.
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Most tasks that run at once; as many as there are processors when absent.
    #[arg(
        long,
        value_name = "N",
        value_parser = input::whole::<u32>(1..=CONCURRENCY as u64),
        allow_negative_numbers = true
    )]
    pub concurrency: Option<u32>,
    /// The resources of this worker, such as cpu=4,memory_mb=8192,gpu=1: it takes only tasks
    /// that fit into what is free. Without them it takes every task.
    #[arg(long, value_name = "NAME=AMOUNT,…", value_parser = input::amounts)]
    pub capacity: Option<std::vec::Vec<(String, u64)>>,
    /// What the worker is called, for people to read; host and process when absent.
    #[arg(long)]
    pub name: Option<String>,
    /// How long running tasks may go on when the worker is stopped.
    #[arg(long, value_name = "DURATION", value_parser = input::duration, default_value = "25s",
        allow_hyphen_values = true)]
    pub drain: Duration,
    /// How long a command may go on after SIGTERM before it gets SIGKILL.
    #[arg(long, value_name = "DURATION", value_parser = input::duration, default_value = "10s",
        allow_hyphen_values = true)]
    pub grace: Duration,
    /// How long a task waits whose command said that it is too early.
    #[arg(long, value_name = "DURATION", value_parser = input::duration, default_value = "30s",
        allow_hyphen_values = true)]
    pub snooze: Duration,
    /// How log lines look; RUSSET_LOG says what is logged, such as RUSSET_LOG=debug.
    #[arg(long, value_enum, default_value_t, env = "RUSSET_LOG_FORMAT")]
    pub log_format: LogFormat,
}

impl Work {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let format = match global.json {
            true => LogFormat::Json,
            false => self.log_format,
        };
        log::start(format, if global.quiet { "warn" } else { "info" })?;
        let program = match self.shell {
            true => Program::shell(&self.exec)?,
            false => Program::words(&self.exec)?,
        };
        program.find()?;
        if let Some(word) = program.shell_word(&self.exec) {
            tracing::warn!(
                "--exec: the program gets {word:?} as an argument, since no shell runs it: add --shell if a shell is to read it"
            );
        }
        let system = |what| move |why| CliError::System { what, why };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(system("cannot start"))?;
        let guard = Guard::start(None).map_err(system("cannot start the guard process"))?;
        let execute = Execute::new(program, guard, self.grace, self.snooze);
        let stopped = runtime.block_on(async {
            let worker = self.worker(global, execute)?;
            Ok::<_, CliError>(worker.run_until_signal().await?)
        })?;
        tell(stopped);
        Ok(ExitCode::SUCCESS)
    }

    fn worker(&self, global: &Global, execute: Execute) -> Result<Worker, CliError> {
        let name = self.name.clone().unwrap_or_else(own_name);
        let concurrency = self.concurrency.map_or_else(processors, |n| n as usize);
        tracing::info!(
            name,
            url = global.url,
            queues = self.queues.join(","),
            concurrency,
            command = self.exec,
            "the worker asks for tasks; stop it with Ctrl-C"
        );
        let mut worker = Worker::new(global.client()?)
            .named(name)
            .queues(&self.queues)
            .concurrency(concurrency)
            .drain(self.drain)
            // The grace of a command is its own.
            .cancel_grace(None);
        if let Some(capacity) = &self.capacity {
            worker = worker.capacity(capacity.iter().cloned().collect());
        }
        if self.types.is_empty() {
            return Ok(worker.service_for_others(execute));
        }
        let add = |worker: Worker, kind: &String| worker.service(kind, execute.clone());
        Ok(self.types.iter().fold(worker, add))
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn own_name() -> String {
    let host = rustix::system::uname();
    let host: String = host.nodename().to_string_lossy().chars().take(64).collect();
    format!("{host}:{}", std::process::id())
}

fn tell(stopped: Stopped) {
    let Stopped {
        interrupted,
        unreported,
    } = stopped;
    if interrupted > 0 || unreported > 0 {
        tracing::warn!(
            interrupted,
            unreported,
            "the worker has stopped; these tasks are tried again"
        );
    } else {
        tracing::info!("the worker has stopped");
    }
}

const _: () = assert!(limits::KILL_GRACE.as_secs() == 10, "the default of --grace");
