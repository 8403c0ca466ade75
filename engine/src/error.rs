//! Why the engine did not do what was asked.

use russet_core::{Millis, Rejection};

use crate::{QueueError, StoreError};

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The rules refuse it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much is waiting; nothing was changed.
    #[error("overloaded: {waiting} commands are waiting; try again in {retry_after}")]
    Overloaded {
        /// How many commands wait.
        waiting: usize,
        /// When to try again.
        retry_after: Millis,
    },
    /// Others changed the same records again and again; nothing was changed.
    #[error("too many conflicts on the same records; try again in {retry_after}")]
    Contended {
        /// When to try again.
        retry_after: Millis,
    },
    /// The store did not do it. After [`StoreError::Indeterminate`] it may have been done:
    /// the same command can be sent again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The scheduler is stopping.
    #[error(
        "the scheduler is stopping: send the command to another node, or again after its restart"
    )]
    Stopping,
    /// A part of the scheduler has met a broken invariant and does nothing any more.
    #[error(
        "the scheduler has met a bug and is no longer whole: what was acknowledged is stored; \
         restart it, and report what its log says of a broken invariant"
    )]
    Broken,
}
