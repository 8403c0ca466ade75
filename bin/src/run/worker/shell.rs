//! Runs a task's command: without input, its output in a file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russet::TaskFailure;

use crate::exec::{self, Guard, Program, Ran};
use crate::run::directory::Directory;
use crate::run::{RunError, limits};

/// Where and how commands run.
#[derive(Debug)]
pub(in crate::run) struct Shell {
    guard: Arc<Guard>,
    logs: PathBuf,
}

/// One attempt of a command.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// The task's name, which names its log.
    pub task: &'a str,
    /// Which attempt it is.
    pub attempt: u64,
    /// The command.
    pub run: &'a str,
    /// Variables beside those that it inherits.
    pub env: &'a BTreeMap<String, String>,
}

impl Shell {
    /// Prepares to run commands; their logs go to the data directory. It stays locked until
    /// the guard has ended the commands of this session, so that no later one begins before.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(directory: &Directory) -> Result<Self, RunError> {
        let logs = directory.logs();
        std::fs::create_dir_all(&logs).map_err(RunError::path("make the directory", &logs))?;
        let guard = directory.share_lock().map(Some).and_then(Guard::start);
        let guard = guard.map_err(RunError::system("start a process"))?;
        Ok(Self {
            guard: Arc::new(guard),
            logs,
        })
    }

    /// Runs a command as [`exec::run_apart`] does; returns the end of what it printed.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn run(
        &self,
        script: Script<'_>,
        held: impl Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<String, TaskFailure> {
        let failed = |error| format!("the command could not be started: {error}");
        let failed = |error: io::Error| TaskFailure::retry(failed(error));
        let log = log_path(&self.logs, script.task);
        let program = Program::shell(&format!("exec </dev/null; {}", script.run))?;
        let (job, start) = job(&script, &log).map_err(failed)?;
        let ran = exec::run_apart(program, job, self.guard.clone(), held, stop);
        let ran = ran.await.map_err(failed)?;
        let output = exec::end_of(&log, start, limits::OUTPUT_BYTES).unwrap_or_default();
        match ran.status.success() {
            _ if ran.stopped => Err(TaskFailure::cancelled()),
            true => Ok(output),
            false => Err(TaskFailure::retry(failure(&ran, &output))),
        }
    }

    /// Ends the guard, when no command runs any more.
    pub fn finish(&self) {
        self.guard.finish();
    }
}

/// What the command gets, and where its output begins in the log.
fn job(script: &Script<'_>, log: &Path) -> io::Result<(exec::Job, u64)> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(log)?;
    if script.attempt > 1 {
        writeln!(file, "--- attempt {}", script.attempt)?;
    }
    let start = file.metadata()?.len();
    let given = script.env.iter();
    let given = given.map(|(name, value)| (name.clone(), value.clone()));
    let own = [
        ("RUSSET_TASK".to_owned(), script.task.to_owned()),
        ("RUSSET_ATTEMPT".to_owned(), script.attempt.to_string()),
    ];
    let job = exec::Job {
        environment: given.chain(own).collect(),
        log: Some(file),
        grace: limits::KILL_GRACE,
        ..exec::Job::default()
    };
    Ok((job, start))
}

/// The log of a task: its name holds nothing that a file's name cannot.
pub(in crate::run) fn log_path(logs: &Path, task: &str) -> PathBuf {
    logs.join(format!("{task}.log"))
}

/// What went wrong: the exit status with the last line of output, then the end of the output.
fn failure(ran: &Ran, output: &str) -> String {
    let how = ran.how();
    match output.lines().last() {
        None => how,
        Some(last) if last == output => format!("{how}: {last}"),
        Some(last) => format!("{how}: {last}\n{output}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn failed(code: i32, output: &str) -> String {
        let ran = Ran {
            status: ExitStatus::from_raw(code),
            stdout: Vec::new(),
            stdout_total: 0,
            stderr: String::new(),
            stopped: false,
        };
        failure(&ran, output)
    }

    #[test]
    fn an_error_begins_with_the_status_and_the_last_line() {
        assert_eq!(failed(3 << 8, ""), "exit status 3");
        assert_eq!(failed(3 << 8, "no"), "exit status 3: no");
        assert_eq!(failed(9, "a\nb"), "killed by signal 9: b\na\nb");
    }
}
