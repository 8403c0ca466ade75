//! No orphans: a small process beside the one that runs commands, which ends them when that
//! is killed.
//!
//! It is told over a pipe which commands run: `<MARK` before a command is started with
//! that mark in its environment, `+GROUP` when its process group is known, `-GROUP` and `>MARK`
//! when it has ended. When the pipe closes, however that came about, the guard kills the groups
//! that are left. Where the system lists processes in `/proc` it also kills those with a mark
//! that is left: commands that had only just been started, or that left their group.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;

use russet_engine::{Entropy, SystemEntropy};
use rustix::process::{Pid, Signal, kill_process};

use super::{group, limits};

/// The hidden subcommand that runs [`stand`].
pub const COMMAND: &str = "__guard";

/// The variable that holds a command's mark.
pub const MARK: &str = "RUSSET_GUARD";

/// Our end of the pipe, and the process.
#[derive(Debug)]
pub struct Guard {
    told: Mutex<Told>,
    /// Tells the marks of this guard from those of others.
    own: u64,
    commands: AtomicU64,
}

#[derive(Debug)]
struct Told {
    pipe: Option<ChildStdin>,
    process: Child,
}

impl Guard {
    /// Starts a guard: this same program, in a process group of its own. It keeps `lock` open
    /// until it has ended what it has to end.
    ///
    /// # Errors
    /// What the system says when no process can be started.
    pub fn start(lock: Option<File>) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(lock.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        let pipe = pipe.ok_or_else(|| io::Error::other("the guard has no standard input"))?;
        Ok(Self {
            told: Mutex::new(Told {
                pipe: Some(pipe),
                process,
            }),
            own: SystemEntropy::new().next_u64(),
            commands: AtomicU64::new(0),
        })
    }

    /// Lets the guard go when no command runs any more, and waits until it has.
    pub fn finish(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        drop(told.pipe.take());
        // A process that cannot be waited for is gone.
        let _ = told.process.wait();
    }

    /// Watches one command from before its start until the watch is dropped.
    pub(super) fn watch(&self) -> Watch<'_> {
        let command = self.commands.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{:016x}-{command}", self.own);
        self.tell('<', &mark);
        Watch { guard: self, mark }
    }

    fn tell(&self, sign: char, what: &str) {
        let line = format!("{sign}{what}\n");
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = &mut told.pipe
            && let Err(error) = pipe.write_all(line.as_bytes())
        {
            tracing::warn!(%error, "the guard is gone: commands outlive this process if it is killed");
        }
    }
}

/// One command that the guard knows of.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    guard: &'a Guard,
    mark: String,
}

impl Watch<'_> {
    /// The variable that the command must have.
    pub fn variable(&self) -> (&'static str, &str) {
        (MARK, &self.mark)
    }

    /// The command leads this group.
    pub fn started(&self, group: Pid) {
        self.guard.tell('+', &group.as_raw_nonzero().to_string());
    }

    /// The group is gone.
    pub fn ended(&self, group: Pid) {
        self.guard.tell('-', &group.as_raw_nonzero().to_string());
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.guard.tell('>', &self.mark);
    }
}

/// What the guard process does: remembers commands until standard input ends, then kills them.
pub fn stand() {
    let (mut groups, mut marks) = (BTreeSet::new(), BTreeSet::new());
    for line in BufReader::new(io::stdin()).lines() {
        let Ok(line) = line else { break };
        let (sign, what) = line.split_at(line.len().min(1));
        match (sign, what.parse::<i32>()) {
            ("+", Ok(group)) => groups.insert(group),
            ("-", Ok(group)) => groups.remove(&group),
            ("<", _) => marks.insert(what.to_owned()),
            (">", _) => marks.remove(what),
            _ => false,
        };
    }
    let starting = marks.len() > groups.len();
    for id in groups.into_iter().filter_map(Pid::from_raw) {
        group::signal(id, Signal::KILL);
    }
    if marks.is_empty() {
        return;
    }
    for pause in limits::GUARD_LOOKS {
        sleep(pause);
        if !kill_marked(&marks) && !starting {
            return;
        }
    }
}

/// Kills every process with one of these marks; whether there was one.
fn kill_marked(marks: &BTreeSet<String>) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let mut found = false;
    for process in processes.flatten() {
        let number = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(id) = number.and_then(Pid::from_raw) else {
            continue;
        };
        // Processes of other users cannot be read, and are not ours.
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let is_marked = variables.any(|variable| {
            let text = std::str::from_utf8(variable).unwrap_or_default();
            let (name, value) = text.split_once('=').unwrap_or_default();
            name == MARK && marks.contains(value)
        });
        if is_marked {
            found = true;
            // It may have ended meanwhile.
            let _ = kill_process(id, Signal::KILL);
        }
    }
    found
}
