//! What the store knows of the tasks of a run, over all of its submissions.

use std::collections::HashMap;
use std::sync::Arc;

use russet_core::{PartitionId, Record, RecordKey, Status, Task, TaskId};
use russet_engine::{Store, StoreError};

use super::identity::Round;
use super::plan::Plan;
use super::takeover;
use super::work::Payload;
use crate::workflow::Workflow;

/// The newest record of each task.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_name: HashMap<String, Arc<Task>>,
    /// Whether the newest submission has been made.
    pub submitted: bool,
}

impl Known {
    /// Reads what was submitted.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(store: &dyn Store, rounds: &[Round]) -> Result<Self, StoreError> {
        let mut known = Self::default();
        for (at, round) in rounds.iter().enumerate().rev() {
            let partition = round.id.partition();
            if !is_submitted(store, partition, RecordKey::Workflow(round.id)).await? {
                continue;
            }
            known.submitted |= at + 1 == rounds.len();
            let ids = (0..round.tasks).map(|position| Plan::numbered(round.id, position));
            let tasks = takeover::tasks(store, partition, ids.collect()).await?;
            for task in tasks.into_iter().flatten() {
                if let Ok(payload) = Payload::read(&task.payload) {
                    known.by_name.entry(payload.task).or_insert(task);
                }
            }
        }
        Ok(known)
    }

    /// Whether nothing was ever submitted.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// A task by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<Task>> {
        self.by_name.get(name)
    }

    /// The tasks that `wanted` picks by their status, in the order of their submission.
    pub fn those(&self, wanted: impl Fn(Status) -> bool) -> Vec<Arc<Task>> {
        let tasks = self.by_name.values().filter(|task| wanted(task.status));
        let mut tasks: Vec<_> = tasks.cloned().collect();
        tasks.sort_unstable_by_key(|task| task.id);
        tasks
    }

    /// The tasks of a workflow in the order of its file, or the first that is not known.
    pub fn tasks<'a>(&self, workflow: &'a Workflow) -> Result<Vec<Arc<Task>>, &'a str> {
        let specs = workflow.tasks.iter();
        let each = specs.map(|spec| self.get(&spec.name).cloned().ok_or(spec.name.as_str()));
        each.collect()
    }

    /// The tasks of a workflow that have succeeded.
    pub fn succeeded(&self, workflow: &Workflow) -> Vec<Option<TaskId>> {
        let succeeded = |task: &&Arc<Task>| task.status == Status::Succeeded;
        let specs = workflow.tasks.iter();
        let each = specs.map(|spec| self.get(&spec.name).filter(succeeded).map(|task| task.id));
        each.collect()
    }
}

async fn is_submitted(
    store: &dyn Store,
    partition: PartitionId,
    key: RecordKey,
) -> Result<bool, StoreError> {
    let found = store.get(partition, &[key]).await?;
    let mut found = found.into_iter().flatten();
    Ok(found.any(|found| matches!(found.record, Record::Workflow(known) if known.is_accepted())))
}
