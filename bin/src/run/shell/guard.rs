//! The process of [`crate::exec::guard`], as a run needs it: it holds the data directory's
//! lock, too, so that no later session begins before it has ended the commands of this one.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

use crate::exec::guard::COMMAND;

/// Our end of the pipe, and the process.
#[derive(Debug)]
pub(super) struct Guard {
    pipe: Mutex<ChildStdin>,
    process: Child,
}

impl Guard {
    /// Starts a guard that keeps `lock` open.
    ///
    /// # Errors
    /// What the system says when no process can be started.
    pub fn start(lock: File) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take();
        let pipe = pipe.ok_or_else(|| io::Error::other("the guard has no standard input"))?;
        Ok(Self {
            pipe: Mutex::new(pipe),
            process,
        })
    }

    pub fn watch(&self, group: Pid) {
        self.tell('+', group);
    }

    pub fn forget(&self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: Pid) {
        let line = format!("{sign}{}\n", group.as_raw_nonzero());
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = pipe.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the guard is gone: commands outlive this process if it is killed");
        }
    }

    /// Lets the guard go, and waits until the lock is only ours again.
    pub fn finish(self) {
        let Self { pipe, mut process } = self;
        drop(pipe);
        let _ = process.wait();
    }
}
