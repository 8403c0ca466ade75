use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Stopped, Worker};
use crate::Error;

/// The signals by which a process is asked to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Setting {
            what: "signals",
            why: error.to_string(),
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Worker {
    /// Works until the process is asked to stop by SIGTERM or SIGINT, then finishes as in
    /// [`Self::run_until`]; a second signal ends the handlers at once.
    ///
    /// # Errors
    /// As [`Self::run_until`], and a system that lets nobody wait for signals.
    pub async fn run_until_signal(self) -> Result<Stopped, Error> {
        let (mut first, mut second) = (Signals::new()?, Signals::new()?);
        let drain = async move { first.next().await };
        let at_once = async move {
            second.next().await;
            second.next().await;
        };
        self.run(drain, at_once, "; again to stop now").await
    }
}
