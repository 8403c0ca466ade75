//! About how many bytes records take, for stores that can change only so many at once.

use bytes::Bytes;

use super::{Record, Task};
use crate::NewTask;

/// An edge of a graph, or the key of a record.
const EDGE: usize = 32;

impl Record {
    /// What it weighs without what its user gives it: names, times, an error, and what a store adds.
    pub const PLAIN: usize = 1_024;

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
        let bytes = |part: Option<&Bytes>| part.map_or(0, Bytes::len);
        let progress = self.progress.as_ref();
        let checkpoint = progress.and_then(|progress| progress.checkpoint.as_ref());
        let edges = self.dependencies.inline.len() + self.dependents.inline.len();
        Record::PLAIN
            + self.payload.len()
            + self.metadata.len()
            + bytes(self.result.as_deref())
            + bytes(checkpoint)
            + edges * EDGE
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
