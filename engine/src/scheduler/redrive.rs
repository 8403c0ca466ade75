//! New lives: of a task, and of all that failed in a workflow.

use russet_core::{
    Command, Redrive, RedriveWorkflow, Rejection, Reply, Status, Task, TaskId, WorkflowId, planted,
};

use super::family::parents_first;
use super::write::{now, unexpected};
use super::{Scheduler, TaskNow};
use crate::{EngineError, limits};

/// What a redrive of a workflow came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedrivenWorkflow {
    /// How many tasks came back to life, also by an earlier try of the same redrive.
    pub redriven: u64,
    /// The tasks that are dead or cancelled and stay so, and why.
    pub refused: Vec<(TaskId, Rejection)>,
}

/// Whether a task might come back to life.
fn is_over(status: Status) -> bool {
    matches!(status, Status::Dead | Status::Cancelled)
}

impl Scheduler {
    /// Gives a task that is dead, or that was cancelled because of a dependency, a new life.
    ///
    /// # Errors
    /// An unknown task, or one that cannot be redriven.
    pub async fn redrive(&self, task: TaskId) -> Result<TaskNow, EngineError> {
        let (id, cancelled) = (self.new_redrive_id(), false);
        self.redrive_as(Redrive {
            task,
            id,
            cancelled,
        })
        .await
    }

    /// An identity for a redrive, drawn at random.
    pub fn new_redrive_id(&self) -> u64 {
        self.node.entropy.next_u64()
    }

    /// As [`Self::redrive`], under an identity of the caller's: the same redrive again changes
    /// nothing, whatever became of the task.
    ///
    /// # Errors
    /// An unknown task, or one that cannot be redriven.
    pub async fn redrive_as(&self, redrive: Redrive) -> Result<TaskNow, EngineError> {
        now(self
            .node
            .call_one(redrive.task.partition(), Command::Redrive(redrive))
            .await)
    }

    /// Gives the tasks of a workflow a new life that are dead, or were cancelled because of a
    /// dependency; those that somebody cancelled when `cancelled` says so. Parents come first, a
    /// few tasks a transaction: after an error half-way, the same redrive again goes on.
    ///
    /// # Errors
    /// An unknown workflow, or a store that is unavailable. A task that cannot be redriven is
    /// no error.
    pub async fn redrive_workflow(
        &self,
        workflow: WorkflowId,
        id: Option<u64>,
        cancelled: bool,
    ) -> Result<RedrivenWorkflow, EngineError> {
        let id = id.unwrap_or_else(|| self.new_redrive_id());
        // Whoever has started before comes back without a look at its parents.
        let minds = |task: &Task| is_over(task.status) && task.attempt == 0;
        let mut members = self.members(workflow, minds).await?;
        let mut done = RedrivenWorkflow::default();
        // What an earlier try brought back is asked for once more: what a listing shows may not be
        // safe yet.
        members.retain(|task| is_over(task.status) || task.redriven_by == Some(id));
        let mut order = parents_first(&members);
        if planted!(ChildrenRedrivenFirst) {
            order.reverse();
        }
        let mut rest = &order[..];
        while !rest.is_empty() {
            let tasks = &rest[..rest.len().min(limits::REDRIVE_TASKS)];
            let command = Command::RedriveWorkflow(RedriveWorkflow {
                workflow,
                tasks: tasks.to_vec(),
                id,
                cancelled,
            });
            let results = match self.node.call_one(workflow.partition(), command).await? {
                Reply::Redriven { tasks } => tasks,
                other => return Err(unexpected(&other)),
            };
            rest = &rest[results.len().clamp(1, tasks.len())..];
            for (task, result) in tasks.iter().zip(results) {
                match result {
                    Ok(_) => done.redriven += 1,
                    Err(rejection) => done.refused.push((*task, rejection)),
                }
            }
            if planted!(RedriveStopsEarly) {
                break;
            }
        }
        Ok(done)
    }
}
