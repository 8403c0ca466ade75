//! An end: of a task, and of all that has not ended in a workflow.

use russet_core::{Cancel, Command, Rejection, Status, Task, TaskId, WorkflowId, policy};

use super::family::{Member, parents_first};
use super::write::now;
use super::{Scheduler, TaskNow};
use crate::{EngineError, limits};

/// What a cancel of a workflow came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelledWorkflow {
    /// How many tasks it cancelled.
    pub cancelled: u64,
    /// How many were running: their holders are asked to stop.
    pub asked: u64,
}

impl Scheduler {
    /// Cancels a task, or asks its holder to stop.
    ///
    /// # Errors
    /// An unknown task, or one that has ended otherwise.
    pub async fn cancel(&self, cancel: Cancel) -> Result<TaskNow, EngineError> {
        now(self
            .node
            .call_one(cancel.task.partition(), Command::Cancel(cancel))
            .await)
    }

    /// Cancels every task of a workflow that has not ended, or asks its holder to stop. Children
    /// come first, so that none starts because of its parent's end. What running tasks add
    /// meanwhile is cancelled too; what they add later, before they stop, is not.
    ///
    /// # Errors
    /// An unknown workflow, or a store that is unavailable: the same again goes on.
    pub async fn cancel_workflow(
        &self,
        workflow: WorkflowId,
        reason: Option<&str>,
    ) -> Result<CancelledWorkflow, EngineError> {
        let reason = reason.map(policy::cut_error);
        let mut done = CancelledWorkflow::default();
        for round in 0..limits::CANCEL_ROUNDS {
            let live = self.live(workflow, round > 0).await?;
            if live.is_empty() {
                break;
            }
            for tasks in live.chunks(limits::REDRIVE_TASKS) {
                self.cancel_each(tasks, reason.as_ref(), &mut done).await?;
            }
        }
        Ok(done)
    }

    /// The tasks that have not ended, children first; without those whose holders have been asked
    /// to stop, when that is known of all of them.
    async fn live(
        &self,
        workflow: WorkflowId,
        are_asked: bool,
    ) -> Result<Vec<TaskId>, EngineError> {
        let minds = |task: &Task| task.status == Status::Blocked;
        let mut members = self.members(workflow, minds).await?;
        let is_asked = |member: &Member| are_asked && member.cancel_requested;
        members.retain(|member| !member.status.is_terminal() && !is_asked(member));
        let mut order = parents_first(&members);
        order.reverse();
        Ok(order)
    }

    async fn cancel_each(
        &self,
        tasks: &[TaskId],
        reason: Option<&String>,
        done: &mut CancelledWorkflow,
    ) -> Result<(), EngineError> {
        let commands = tasks.iter().map(|task| {
            let (task, reason) = (*task, reason.cloned());
            (task.partition(), Command::Cancel(Cancel { task, reason }))
        });
        for answer in self.node.call_each(commands.collect()).await {
            match now(answer) {
                Ok(now) if now.status == Status::Cancelled => done.cancelled += 1,
                Ok(_) => done.asked += 1,
                // It has ended meanwhile.
                Err(EngineError::Rejected(
                    Rejection::WrongStatus { .. } | Rejection::NotFound { .. },
                )) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
