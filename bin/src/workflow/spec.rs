use std::collections::BTreeMap;
use std::time::Duration;

use russet_core::{DependencyOn, IfUnsatisfied};

/// A checked workflow: unique names, resolved dependencies, no cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The name given in the file, else the file's stem.
    pub name: String,
    /// What kind of file it came from.
    pub format: Format,
    /// The tasks in file order; a [`Dependency`] names them by position.
    pub tasks: Vec<TaskSpec>,
}

/// The kind of file a workflow came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Russet's own format.
    Russet,
    /// A WfFormat instance: every task sleeps for its recorded run time (at full length; the caller speeds it up).
    WfFormat,
}

/// One task, with the file's defaults applied. `None` and empty maps mean *not given*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Unique within the workflow.
    pub name: String,
    /// What it does.
    pub work: Work,
    /// What it waits for, each task at most once.
    pub depends_on: Vec<Dependency>,
    /// What becomes of it when a dependency cannot be satisfied.
    pub if_unsatisfied: IfUnsatisfied,
    /// 0 to 9, 9 the most urgent.
    pub priority: Option<u8>,
    /// Retries after the first attempt.
    pub max_retries: Option<u32>,
    /// Base of the backoff between attempts, in whole milliseconds.
    pub retry_delay: Option<Duration>,
    /// Longest run time of one attempt, in whole milliseconds.
    pub timeout: Option<Duration>,
    /// Wait before the first attempt, in whole milliseconds.
    pub delay: Option<Duration>,
    /// What it needs while it runs, each amount at least 1.
    pub resources: BTreeMap<String, u64>,
    /// Run time it is expected to take, in whole milliseconds.
    pub expected: Option<Duration>,
    /// Environment variables added for `run`.
    pub env: BTreeMap<String, String>,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Runs a command with `sh -c`.
    Run(String),
    /// Sleeps: whole milliseconds in Russet's format, whole microseconds from WfFormat.
    Sleep(Duration),
}

/// One thing a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// Position in [`Workflow::tasks`].
    pub task: usize,
    /// The end that satisfies it.
    pub on: DependencyOn,
}

impl TaskSpec {
    /// The run time known beforehand: what it sleeps, else what is `expected`.
    pub fn run_time(&self) -> Option<Duration> {
        match self.work {
            Work::Sleep(time) => Some(time),
            Work::Run(_) => self.expected,
        }
    }
}
