//! `russet run`: a workflow file, to its end, on this machine.
//!
//! The scheduler and its workers live in this process, the records in a data directory. Killed
//! at any moment, the same command goes on where it was: what was recorded as finished is never
//! done again, and what was running is taken back and started anew.

mod advice;
mod again;
mod batch;
mod capacity;
mod conditions;
mod conductor;
mod directory;
mod error;
mod events;
mod fingerprint;
mod identity;
mod known;
pub mod limits;
mod observed;
mod plan;
mod prepare;
mod progress;
mod session;
mod stop;
mod summary;
mod takeover;
mod too_large;
mod unmet;
mod work;
mod worker;

use std::path::PathBuf;

pub use directory::is_of_a_run;
pub use error::RunError;
pub use progress::Display;
pub use session::run;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workflow file; `-` for standard input.
    pub file: PathBuf,
    /// Where the run keeps its state; `None`: beside the current directory's other content,
    /// named after the file.
    pub data_dir: Option<PathBuf>,
    /// Most tasks that run at once; `None`: as many as there are processors, or
    /// [`limits::SLEEPERS`] when all tasks only sleep.
    pub concurrency: Option<usize>,
    /// What sleeps are divided by.
    pub speedup: f64,
    /// What the tasks that run at once may use together; what is not named is not limited.
    /// `None`: nothing is.
    pub capacity: Option<Vec<(String, u64)>>,
    /// Where to write one JSON object for each event.
    pub events: Option<PathBuf>,
    /// Print nothing on standard output but one line of JSON at the end.
    pub json: bool,
    /// Forget what an earlier run did.
    pub fresh: bool,
    /// Run once more what did not succeed, as the file now says.
    pub retry_failed: bool,
    /// What to show meanwhile and at the end.
    pub display: Display,
}

impl Options {
    /// Whether the workflow comes from standard input.
    pub fn is_stdin(&self) -> bool {
        self.file.as_os_str() == "-"
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every task that was needed succeeded.
    Successfully,
    /// Some task did not succeed.
    Unsuccessfully,
    /// The user stopped it.
    Interrupted,
}

impl Ended {
    /// The exit status that says so: 0, 1, or 130 as after any Ctrl-C.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Successfully => 0,
            Self::Unsuccessfully => 1,
            Self::Interrupted => 130,
        }
    }
}
