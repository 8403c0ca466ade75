use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What the tasks of a workflow wait behind that is larger than one transaction of the store. It
/// counts as one more parent of each of them, and it is a part of the workflow's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Whether the tasks may pass.
    pub state: GateState,
    /// How many records stand behind it: tasks, and their lists of edges.
    pub records: u32,
    /// How many of them are stored, while it is closed; afterwards how many have been let
    /// through, or removed.
    pub done: u32,
    /// Some of the tasks depend on tasks that were submitted before.
    pub outside: bool,
    /// When its timer fires.
    pub due_at: Timestamp,
}

/// Whether the tasks behind a gate may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateState {
    /// The workflow is being stored.
    Closed,
    /// All of it is stored and accepted; its tasks are let through, some at a time.
    Open,
    /// Its submitter went away half-way; what is stored is being removed.
    GivenUp,
}
