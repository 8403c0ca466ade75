use std::sync::Arc;
use std::time::Duration;

use russet_core::Status;

use crate::wire::{LastError, Problem};

/// Why a call did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The scheduler refused; the problem says why and what to do.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The server cannot be reached; nothing was sent to it.
    #[error("cannot reach {server}: {why}")]
    Unreachable {
        /// The server's address, or with commas between them those of all that were tried.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The call was sent and no answer came: it may or may not have been carried out.
    #[error("no answer from {server}: {why}; the call may or may not have been carried out")]
    Lost {
        /// The server's address.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The server answered something that this client does not understand.
    #[error(
        "{server} gave an answer that cannot be read: {why}; is it a Russet server of this version?"
    )]
    Unreadable {
        /// The server's address.
        server: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// An address or a token that cannot be used.
    #[error("{what}: {why}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A value that JSON cannot express, or JSON that is not of the expected type.
    #[error("{what}: {source}")]
    Json {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        source: Arc<serde_json::Error>,
    },
    /// A task whose result was asked for has not ended in time.
    #[error("the task is {status} and has not ended in time")]
    NotEnded {
        /// Where it is.
        status: Status,
    },
    /// A task whose result was asked for ended without one.
    #[error("the task ended {status}: {}", why(.error))]
    Ended {
        /// How it ended.
        status: Status,
        /// Why.
        error: Option<LastError>,
    },
}

fn why(error: &Option<LastError>) -> &str {
    error.as_ref().map_or("for no known reason", |e| &e.message)
}

impl Error {
    /// The problem details, when the scheduler refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.problem().is_some_and(Problem::is_not_found)
    }

    /// Whether the lease of the call is not the task's current one: stop working on it.
    pub fn is_stale_lease(&self) -> bool {
        self.problem().is_some_and(Problem::is_stale_lease)
    }

    /// Whether the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => true,
            Self::Refused(problem) => {
                problem.retry_after_ms.is_some() || matches!(problem.status, 429 | 502..=504)
            }
            _ => false,
        }
    }

    /// Why the request itself can never be accepted, whoever sends it and whenever.
    pub(crate) fn unacceptable(&self) -> Option<&Problem> {
        let problem = self.problem()?;
        matches!(problem.status, 400 | 409 | 413 | 422).then_some(problem)
    }

    /// When the scheduler asks to come back.
    pub(crate) fn retry_after(&self) -> Duration {
        let asked = self.problem().and_then(|problem| problem.retry_after_ms);
        Duration::from_millis(asked.unwrap_or(0))
    }

    /// Whether it is certain that nothing was changed.
    pub fn is_unchanged(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => {
                problem.status < 500 || problem.is_temporary() || problem.code == "store_full"
            }
            _ => false,
        }
    }

    /// Whether it says only that this try was not done, and nothing of what was asked.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_one_try(&self) -> bool {
        let status = self.problem().map(|problem| problem.status);
        self.is_unchanged() && status.is_none_or(|status| matches!(status, 401 | 403 | 429 | 500..))
    }

    /// What is told of a call that a try before, which ended so, may have carried out, and the
    /// `last` one has not.
    #[cfg(feature = "http")]
    pub(crate) fn and_then(self, last: &Self) -> Self {
        match self {
            Self::Lost { server, why } => {
                let why = format!("{why}; tried again: {last}");
                Self::Lost { server, why }
            }
            other => other,
        }
    }

    /// Whether another server of the same store may answer the call.
    #[cfg(feature = "http")]
    pub(crate) fn is_the_servers(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => true,
            Self::Refused(problem) => match problem.code.as_str() {
                "stopping" | "unavailable" => true,
                // A proxy's.
                "http" => matches!(problem.status, 502..=504),
                _ => false,
            },
            _ => false,
        }
    }

    pub(crate) fn json(what: &'static str, source: serde_json::Error) -> Self {
        let source = Arc::new(source);
        Self::Json { what, source }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_store_refuses_is_surely_not_done() {
        let refused = |code, status| Error::Refused(Problem::new(code, status, "no").into());
        assert!(refused("store_full", 507).is_unchanged());
        assert!(refused("invalid", 422).is_unchanged());
        assert!(!refused("internal", 500).is_unchanged());
        assert!(!refused("indeterminate", 503).is_unchanged());
    }
}
