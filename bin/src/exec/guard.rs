//! No orphans: a small process beside the worker that ends the worker's commands when the
//! worker itself is killed.
//!
//! The worker tells it over a pipe which process groups run. When the pipe closes, however that
//! came about, the guard kills the groups that are left and exits.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal};

use super::group;

/// The hidden subcommand that runs [`stand`].
pub const COMMAND: &str = "__guard";

/// The worker's end of the pipe.
#[derive(Debug)]
pub struct Guard(Mutex<ChildStdin>);

impl Guard {
    /// Starts a guard: this same program, in a process group of its own.
    ///
    /// # Errors
    /// What the system says when no process can be started.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        let pipe = pipe.ok_or_else(|| io::Error::other("the guard has no standard input"))?;
        Ok(Self(Mutex::new(pipe)))
    }

    pub(super) fn watch(&self, group: Pid) {
        self.tell('+', group);
    }

    pub(super) fn forget(&self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: Pid) {
        let line = format!("{sign}{}\n", group.as_raw_nonzero());
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = pipe.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the guard is gone: commands outlive this worker if it is killed");
        }
    }
}

/// What the guard process does: remembers groups until standard input ends, then kills them.
pub fn stand() {
    let mut groups = BTreeSet::new();
    for line in BufReader::new(io::stdin()).lines() {
        let Ok(line) = line else { break };
        let (sign, number) = line.split_at(line.len().min(1));
        let Ok(number) = number.parse::<i32>() else {
            continue;
        };
        match sign {
            "+" => groups.insert(number),
            _ => groups.remove(&number),
        };
    }
    for id in groups.into_iter().filter_map(Pid::from_raw) {
        group::signal(id, Signal::KILL);
    }
}
