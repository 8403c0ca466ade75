//! Processes that end with the test that started them.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::within;

/// A running process and what it says. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    said: Said,
    readers: Vec<JoinHandle<()>>,
}

/// What a process wrote on standard output and standard error, line by line.
type Said = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Starts a process.
    ///
    /// # Panics
    /// When the system does not start it.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = Said::default();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|out| Box::new(out) as _),
        ];
        let readers = outputs
            .into_iter()
            .flatten()
            .map(|out| listen(out, said.clone()));
        let readers = readers.collect();
        Self {
            child,
            said,
            readers,
        }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n")
    }

    /// What `find` finds in a line that it says, once it says one.
    ///
    /// # Panics
    /// When it ends, or says nothing like that for half a minute.
    #[track_caller]
    pub fn says<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let found = self.may_say(&find);
        found.unwrap_or_else(|| panic!("it did not say {what}:\n{}", self.said()))
    }

    /// As [`Self::says`]; `None` when it ends first or takes too long.
    pub fn may_say<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut last = false;
        let found = within(Duration::from_secs(30), || {
            let found = {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                said.iter().find_map(|line| find(line))
            };
            let over = found.is_none() && last;
            last = self.has_ended();
            if over { Some(None) } else { found.map(Some) }
        });
        found.flatten()
    }

    /// Whether it has ended; then it has said all that it will.
    pub fn has_ended(&mut self) -> bool {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        ended && self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        // It may have ended already.
        let _ = self.pid().map(|id| kill_process(id, Signal::TERM));
    }

    /// Lets it write files of any size again.
    ///
    /// # Panics
    /// When the system does not.
    #[track_caller]
    pub fn unlimit_files(&self) {
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        let before = prlimit(self.pid(), Resource::Fsize, unlimited);
        before.expect("the limit was a soft one");
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Kills it, and waits until it is gone; whether that was what ended it.
    pub fn kill(&mut self) -> bool {
        let _ = self.child.kill();
        let status = self.child.wait();
        status.is_ok_and(|status| status.signal() == Some(Signal::KILL.as_raw()))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it goes on for longer than half a minute.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = within(Duration::from_secs(30), || {
            self.child.try_wait().ok().flatten()
        });
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{}", self.said()));
        for reader in self.readers.drain(..) {
            // A reader that panicked has nothing more to say.
            let _ = reader.join();
        }
        (status, self.said())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(out: Box<dyn Read + Send>, said: Said) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(out).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).into_owned();
            said.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    })
}
