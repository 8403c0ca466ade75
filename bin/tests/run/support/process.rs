use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Output};

use serde::Deserialize;

/// The line that `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub workflow: String,
    pub tasks: usize,
    pub succeeded: usize,
    pub dead: usize,
    pub cancelled: usize,
    pub not_ended: usize,
    pub attempts: u64,
    pub makespan_ms: u64,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Checks the exit status.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// What `--json` printed, which is all of standard output.
    #[track_caller]
    pub fn totals(&self) -> Totals {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).expect("totals")
    }

    /// Checks that it was refused with this message.
    #[track_caller]
    pub fn refused(self, message: &str) {
        let ran = self.ended(2);
        assert_eq!(ran.stderr, format!("error: {message}\n"));
        assert_eq!(ran.stdout, "");
    }
}

/// A command that is running.
pub struct Running {
    child: KilledAtLast,
    stderr: Option<BufReader<ChildStderr>>,
}

impl From<Child> for Running {
    fn from(mut child: Child) -> Self {
        let stderr = child.stderr.take().map(BufReader::new);
        Self {
            child: KilledAtLast(child),
            stderr,
        }
    }
}

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.0.id()).ok();
        let pid = pid
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process");
        rustix::process::kill_process(pid, signal).expect("is running");
    }

    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().expect("waits").is_some()
    }

    /// Ends it at once; whether that was what ended it.
    pub fn kill(mut self) -> bool {
        self.child.0.kill().expect("is killed");
        let status = self.child.0.wait().expect("waits");
        status.signal() == Some(rustix::process::Signal::KILL.as_raw())
    }

    /// Reads standard error up to a line that holds this.
    pub fn await_line(&mut self, wanted: &str) -> String {
        let stderr = self.stderr.as_mut().expect("standard error");
        let mut read = String::new();
        loop {
            let mut line = String::new();
            let count = stderr.read_line(&mut line).expect("reads");
            assert!(count > 0, "{wanted:?} was not said, but {read:?}");
            if line.contains(wanted) {
                return line;
            }
            read.push_str(&line);
        }
    }

    /// Waits for the end. What was read of standard error before is not part of it.
    pub fn end(mut self) -> Ran {
        let mut stderr = Vec::new();
        if let Some(mut rest) = self.stderr.take() {
            std::io::Read::read_to_end(&mut rest, &mut stderr).expect("reads");
        }
        let mut stdout = Vec::new();
        if let Some(mut rest) = self.child.0.stdout.take() {
            std::io::Read::read_to_end(&mut rest, &mut stdout).expect("reads");
        }
        let status = self.child.0.wait().expect("waits");
        Ran::from(Output {
            status,
            stdout,
            stderr,
        })
    }
}

/// A process that no failed test leaves behind.
struct KilledAtLast(Child);

impl Drop for KilledAtLast {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process is there and not just a remainder that nobody has waited for.
pub fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}
