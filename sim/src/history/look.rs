use std::collections::BTreeMap;

use russet_core::{PartitionId, QueueName, Record, RecordKey, Status, TaskId, WorkflowId};
use russet_engine::{Due, Stats};

/// What the store says of itself, all at one moment between two commits.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Each record that should be there or should be gone, as the store reads it.
    pub records: BTreeMap<(PartitionId, RecordKey), Option<Record>>,
    /// Its counters.
    pub stats: Stats,
    /// All tasks, by listing all pages without a filter.
    pub all: Vec<TaskId>,
    /// Tasks by queue and state.
    pub by_status: BTreeMap<(QueueName, Status), Vec<TaskId>>,
    /// Tasks by workflow.
    pub by_workflow: BTreeMap<WorkflowId, Vec<TaskId>>,
    /// All timers of each partition, however late they are due.
    pub timers: BTreeMap<PartitionId, Vec<Due>>,
    /// How many messages each queue of a store that is its own queue holds, visible and hidden;
    /// `None` for a split pair.
    pub ready: Option<BTreeMap<QueueName, u64>>,
}
