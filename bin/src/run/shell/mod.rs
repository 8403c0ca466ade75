//! Runs a task's command: in a process group of its own, without input, its output in a file.

mod group;
mod guard;
mod output;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::directory::Directory;
use super::{RunError, limits};
use group::Group;
use guard::Guard;

/// Put before every command. It waits until the guard knows the process group: a command whose
/// russet is killed before that reads the end of the file instead, and never begins.
const GATE: &str = "read -r _ || exit 125; exec </dev/null; ";

/// Where and how commands run.
#[derive(Debug)]
pub(super) struct Shell {
    guard: Guard,
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

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// The end of what it printed.
    pub output: String,
}

impl Shell {
    /// Prepares to run commands; their logs go to the data directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(directory: &Directory) -> Result<Self, RunError> {
        let logs = directory.logs();
        std::fs::create_dir_all(&logs).map_err(RunError::path("make the directory", &logs))?;
        let guard = directory.share_lock().and_then(Guard::start);
        Ok(Self {
            guard: guard.map_err(RunError::system("start a process"))?,
            logs,
        })
    }

    /// Runs a command until it exits, or until `stop` is ready: then its group gets SIGTERM,
    /// and SIGKILL after a grace. What a command leaves behind in its group is killed with its
    /// end, also when this future is dropped.
    ///
    /// # Errors
    /// What the system says when the command cannot be started.
    pub async fn run(
        &self,
        script: Script<'_>,
        stop: impl Future<Output = ()>,
    ) -> io::Result<Ended> {
        let log = log_path(&self.logs, script.task);
        let (mut child, start) = spawn(&script, &log)?;
        let group = Group::led_by(child.id(), &self.guard);
        if let Some(mut gate) = child.stdin.take() {
            // A shell that died at once says so by its exit status.
            let _ = gate.write_all(b"\n").await;
        }
        let status = watch(&mut child, group.as_ref(), stop).await?;
        drop(group);
        let output = output::tail(&log, start).unwrap_or_default();
        Ok(Ended { status, output })
    }

    /// Ends the guard, when no command runs any more.
    pub fn finish(self) {
        self.guard.finish();
    }
}

impl Ended {
    /// What went wrong: the exit status with the last line of output, then the end of the
    /// output.
    pub fn error(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => self.status.to_string(),
        };
        match self.output.lines().last() {
            None => how,
            Some(last) if last == self.output => format!("{how}: {last}"),
            Some(last) => format!("{how}: {last}\n{}", self.output),
        }
    }
}

/// The log of a task: its name holds nothing that a file's name cannot.
pub(super) fn log_path(logs: &Path, task: &str) -> PathBuf {
    logs.join(format!("{task}.log"))
}

/// Starts the command behind the gate; returns where its output begins in the log.
fn spawn(script: &Script<'_>, log: &Path) -> io::Result<(Child, u64)> {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(log)?;
    if script.attempt > 1 {
        writeln!(file, "--- attempt {}", script.attempt)?;
    }
    let start = file.metadata()?.len();
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!("{GATE}{}", script.run))
        .envs(script.env)
        .env("RUSSET_TASK", script.task)
        .env("RUSSET_ATTEMPT", script.attempt.to_string())
        .stdin(Stdio::piped())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, start))
}

async fn watch(
    child: &mut Child,
    group: Option<&Group<'_>>,
    stop: impl Future<Output = ()>,
) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = child.wait() => return status,
        () = stop => {}
    }
    if let Some(group) = group {
        group.terminate();
    }
    match tokio::time::timeout(limits::KILL_GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            if let Some(group) = group {
                group.kill();
            }
            child.wait().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32, output: &str) -> String {
        let status = ExitStatus::from_raw(code);
        let output = output.to_owned();
        Ended { status, output }.error()
    }

    #[test]
    fn an_error_begins_with_the_status_and_the_last_line() {
        assert_eq!(ended(3 << 8, ""), "exit status 3");
        assert_eq!(ended(3 << 8, "no"), "exit status 3: no");
        assert_eq!(ended(9, "a\nb"), "killed by signal 9: b\na\nb");
    }
}
