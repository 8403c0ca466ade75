//! Why a workflow was not run to its end.

use std::io;
use std::path::{Path, PathBuf};

use russet_backends::embedded::OpenError;
use russet_core::NameError;
use russet_engine::{EngineError, StoreError};

use super::limits;
use crate::text::few;
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
    /// The workflow has changed since it was started.
    #[error("{} holds {} as it was when it was started there, and it has changed since: --retry-failed runs what did not succeed as the file now says, where what succeeded is as it was; --fresh forgets what was done and starts over, --data-dir names another directory", dir.display(), file.display())]
    Changed {
        /// The data directory.
        dir: PathBuf,
        /// The workflow file.
        file: PathBuf,
    },
    /// The data directory belongs to another workflow.
    #[error("{} belongs to {owner}, which is not {}: name another directory with --data-dir; --fresh would forget what was done for {owner}", dir.display(), file.display())]
    Owned {
        /// The data directory.
        dir: PathBuf,
        /// The workflow file that it was made for.
        owner: String,
        /// The workflow file.
        file: PathBuf,
    },
    /// Tasks have changed that have succeeded.
    #[error("--retry-failed keeps what succeeded, but {} now says otherwise about {}: put it back as it was, or start over with --fresh", file.display(), few(tasks, limits::PATH_NAMES, limits::SHOWN_CHARS))]
    Kept {
        /// The workflow file.
        file: PathBuf,
        /// The tasks.
        tasks: Vec<String>,
    },
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

    /// Whether there is no room left for what is to be recorded.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Engine(error) => {
                matches!(error, EngineError::Store(StoreError::Full { .. }))
            }
            Self::Worker(error) => error.problem().is_some_and(|known| known.status == 507),
            _ => false,
        }
    }

    /// The refusal's name in public interfaces.
    pub fn code(&self) -> &'static str {
        match self {
            _ if self.is_full() => "store_full",
            Self::Workflow(_) | Self::Name(_) => "invalid_workflow",
            Self::Option { .. } => "invalid",
            Self::Directory { .. } => "unusable",
            Self::Locked { .. } => "locked",
            Self::Changed { .. } | Self::Kept { .. } => "changed",
            Self::Owned { .. } | Self::Foreign { .. } | Self::Events { .. } => "foreign",
            Self::Damaged { .. } | Self::Open(_) => "damaged",
            Self::System { .. } | Self::Engine(_) | Self::Worker(_) => "failed",
        }
    }

    /// The option that is to blame.
    pub fn field(&self) -> Option<String> {
        match self {
            Self::Option { option, .. } => Some(format!("--{option}")),
            Self::Events { .. } => Some("--events".to_owned()),
            _ => None,
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

/// The process that holds a lock, in words.
pub(super) fn by(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
