//! Why a workflow was not run to its end.

use std::io;
use std::path::{Path, PathBuf};

use russet_backends::embedded::OpenError;
use russet_core::NameError;
use russet_engine::{EngineError, StoreError};

use crate::workflow::WorkflowError;

/// Why a workflow was not run to its end. Tasks that fail are no such reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workflow file cannot be.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// An option's value cannot be.
    #[error("--{option}: {why}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong and what is allowed.
        why: String,
    },
    /// A name in the workflow is not one that tasks can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Another process works on the data directory.
    #[error("{} is in use by another `russet run`{}: wait until it ends, or name another directory with --data-dir", dir.display(), by(*holder))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process, as far as it is known.
        holder: Option<u32>,
    },
    /// The data directory belongs to another workflow.
    #[error("{} does not hold this workflow: {} has changed since it was started there, or is another file; --fresh forgets what was done and starts over, --data-dir names another directory", dir.display(), file.display())]
    Changed {
        /// The data directory.
        dir: PathBuf,
        /// The workflow file.
        file: PathBuf,
    },
    /// Resources are to be counted that were left out when the workflow was started.
    #[error(
        "--capacity: this workflow was started without it, so its tasks' resources are not counted: go on without --capacity, or start over with --fresh"
    )]
    Uncounted,
    /// The data directory holds something that is not of a run.
    #[error("{} is not the data directory of a `russet run`: it holds {entry}; name another directory with --data-dir", dir.display())]
    Foreign {
        /// The data directory.
        dir: PathBuf,
        /// What is in it.
        entry: String,
    },
    /// The data directory cannot be read.
    #[error("{} is damaged: {why}; --fresh forgets what was done and starts over, --data-dir names another directory", dir.display())]
    Damaged {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The records cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The events file holds something else.
    #[error("--events: {} {why}; name another file", file.display())]
    Events {
        /// The events file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {why}; name another with --data-dir", dir.display())]
    Directory {
        /// The data directory.
        dir: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The system does not do what is needed.
    #[error("cannot {what}: {why}")]
    System {
        /// What was to be done.
        what: String,
        /// What the system said.
        why: io::Error,
    },
    /// The scheduler cannot go on.
    #[error("{0}; run the same command again to go on")]
    Engine(#[from] EngineError),
    /// The worker cannot go on.
    #[error("{}; run the same command again to go on", why(.0))]
    Worker(#[from] russet::Error),
}

impl RunError {
    /// Whether the user's input or the state of the data directory is to blame.
    pub fn is_bad_input(&self) -> bool {
        !matches!(
            self,
            Self::System { .. } | Self::Engine(_) | Self::Worker(_)
        )
    }

    /// The refusal's name in public interfaces.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Workflow(_) | Self::Name(_) => "invalid_workflow",
            Self::Option { .. } | Self::Uncounted => "invalid",
            Self::Directory { .. } => "unusable",
            Self::Locked { .. } => "locked",
            Self::Changed { .. } => "changed",
            Self::Foreign { .. } | Self::Events { .. } => "foreign",
            Self::Damaged { .. } | Self::Open(_) => "damaged",
            Self::System { .. } | Self::Engine(_) | Self::Worker(_) => "failed",
        }
    }

    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |why| Self::System { what, why }
    }

    /// A file or directory that cannot be used.
    pub(super) fn path(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        Self::system(format!("{verb} {}", path.display()))
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

fn why(error: &russet::Error) -> String {
    let problem = error.problem();
    problem.map_or_else(|| error.to_string(), |problem| problem.detail.clone())
}

fn by(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
