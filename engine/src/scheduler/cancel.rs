//! An end: of a task, and of all that has not ended in a workflow.

use std::collections::HashMap;

use russet_core::{Cancel, Command, Rejection, Status, Task, TaskId, WorkflowId, planted, policy};

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
    /// meanwhile is cancelled too; what they add later, before they stop, is not. The first round
    /// asks also those that have ended, as a listing shows: whether that is safe the store says of
    /// the answers to commands alone.
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
            let members = self.members_to_cancel(workflow, round == 0).await?;
            if members.is_empty() {
                break;
            }
            for members in members.chunks(limits::REDRIVE_TASKS) {
                self.cancel_each(members, reason.as_ref(), &mut done)
                    .await?;
                if planted!(CancelStopsEarly) {
                    return Ok(done);
                }
            }
        }
        Ok(done)
    }

    /// The tasks of a round, children first: all of them in the first one, and then those that
    /// have not ended and whose holders were not asked to stop.
    async fn members_to_cancel(
        &self,
        workflow: WorkflowId,
        is_first: bool,
    ) -> Result<Vec<(TaskId, Status)>, EngineError> {
        let minds = |task: &Task| task.status == Status::Blocked;
        let mut members = self.members(workflow, minds).await?;
        let is_left = |member: &Member| !member.status.is_terminal() && !member.cancel_requested;
        members.retain(|member| is_first || is_left(member));
        let statuses: HashMap<_, _> = members.iter().map(|m| (m.id, m.status)).collect();
        let mut order = parents_first(&members);
        order.reverse();
        Ok(order.into_iter().map(|id| (id, statuses[&id])).collect())
    }

    async fn cancel_each(
        &self,
        tasks: &[(TaskId, Status)],
        reason: Option<&String>,
        done: &mut CancelledWorkflow,
    ) -> Result<(), EngineError> {
        let commands = tasks.iter().map(|(task, _)| {
            let (task, reason) = (*task, reason.cloned());
            (task.partition(), Command::Cancel(Cancel { task, reason }))
        });
        let answers = self.node.call_each(commands.collect()).await;
        for ((_, before), answer) in tasks.iter().zip(answers) {
            match now(answer) {
                Ok(_) if *before == Status::Cancelled => {}
                Ok(now) if now.status == Status::Cancelled => done.cancelled += 1,
                Ok(_) => done.asked += 1,
                // It has ended otherwise, or meanwhile.
                Err(EngineError::Rejected(
                    Rejection::WrongStatus { .. } | Rejection::NotFound { .. },
                )) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
