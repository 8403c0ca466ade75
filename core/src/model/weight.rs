//! How large transactions and records are, for stores that can change only so much at once.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Record, Task};
use crate::NewTask;
use crate::limits::DEPENDENTS_PER_CHUNK;

/// An edge of a graph, or the key of a record.
const EDGE: usize = 32;

/// How much one transaction of a store changes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionLimit {
    /// Records; at least 20, which every command on one task needs at most that has no more to
    /// tell or to wait for than a few others.
    pub changes: usize,
    /// Bytes of all records that are put, as [`Record::weight`] has them; at least four of the
    /// largest records.
    pub bytes: usize,
}

impl TransactionLimit {
    /// Any number of records and bytes.
    pub const NONE: Self = Self {
        changes: usize::MAX,
        bytes: usize::MAX,
    };

    /// Whether it matters how many bytes change.
    pub const fn bounds_bytes(&self) -> bool {
        self.bytes < usize::MAX
    }

    /// Whether so much can be changed at once.
    pub const fn admits(&self, changes: usize, bytes: usize) -> bool {
        changes <= self.changes && bytes <= self.bytes
    }
}

impl Default for TransactionLimit {
    fn default() -> Self {
        Self::NONE
    }
}

impl Record {
    /// What it weighs without what its user gives it: names, times, an error, and what a store adds.
    pub const PLAIN: usize = 1_024;

    /// What a full list of dependents weighs.
    pub const LONGEST_DEPENDENTS: usize = Self::PLAIN + DEPENDENTS_PER_CHUNK * EDGE;

    /// About how many bytes it takes, rather more than fewer.
    pub fn weight(&self) -> usize {
        match self {
            Self::Task(task) => task.weight(),
            Self::Dependencies(edges) | Self::Dependents(edges) => Self::PLAIN + edges.len() * EDGE,
            Self::Gated(keys) => Self::PLAIN + keys.len() * EDGE,
            _ => Self::PLAIN,
        }
    }
}

impl Task {
    /// See [`Record::weight`].
    pub fn weight(&self) -> usize {
        let edges = self.dependencies.inline.len() + self.dependents.inline.len();
        Record::PLAIN + self.given_bytes() + edges * EDGE
    }

    /// Bytes of what its user and its worker gave it: payload, metadata, result and checkpoint.
    pub fn given_bytes(&self) -> usize {
        let bytes = |part: Option<&Bytes>| part.map_or(0, Bytes::len);
        let progress = self.progress.as_ref();
        let checkpoint = progress.and_then(|progress| progress.checkpoint.as_ref());
        self.payload.len() + self.metadata.len() + bytes(self.result.as_deref()) + bytes(checkpoint)
    }
}

impl NewTask {
    /// About how many bytes it and the lists of its edges will take.
    pub fn weight(&self) -> usize {
        Record::PLAIN
            + self.payload.len()
            + self.metadata.len()
            + self.dependencies.len() * 2 * EDGE
    }
}
