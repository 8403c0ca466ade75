//! How tasks and workflows come in.

mod each;

use russet_core::{Command, PartitionId, Reply, Submit, TaskId, WorkflowId};

use super::Scheduler;
use super::intake::Answer;
use super::write::unexpected;
use crate::EngineError;

/// What was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The tasks, in the order of the submission. Empty for a workflow that was submitted
    /// before under the same idempotency key.
    pub tasks: Vec<TaskId>,
    /// The workflow, when it was one.
    pub workflow: Option<WorkflowId>,
    /// Whether it had been submitted before: nothing was changed.
    pub existing: bool,
}

impl Scheduler {
    /// Submits one task or a workflow: all of it, or nothing.
    ///
    /// # Errors
    /// [`EngineError`]; after an unknown outcome the same submission can be sent again.
    pub async fn submit(&self, submit: Submit) -> Result<Submitted, EngineError> {
        let partition = partition_of(&submit);
        let limit = self.node.backend.store.limits().transaction;
        if submit.workflow.is_some() && submit.is_larger_than(&limit) {
            return self.submit_in_pieces(partition, submit).await;
        }
        submitted(self.node.call_one(partition, Command::Submit(submit)).await)
    }

    /// Submits until all that was missing is stored. Whoever sends the same submission meanwhile
    /// takes part in it; when nobody goes on, the workflow's gate removes what is there.
    async fn submit_in_pieces(
        &self,
        partition: PartitionId,
        submit: Submit,
    ) -> Result<Submitted, EngineError> {
        loop {
            let command = Command::Submit(submit.clone());
            match self.node.call_one(partition, command).await {
                Ok(Reply::Staged(missing)) => {
                    for piece in missing {
                        self.node.call_one(partition, Command::Stage(piece)).await?;
                    }
                }
                answer => return submitted(answer),
            }
        }
    }
}

/// The partition of a submission: that of its workflow, or of its first task.
fn partition_of(submit: &Submit) -> PartitionId {
    let task = submit.tasks.first().map(|task| task.id.partition());
    let workflow = submit
        .workflow
        .as_ref()
        .map(|workflow| workflow.id.partition());
    workflow.or(task).unwrap_or_default()
}

fn submitted(answer: Answer) -> Result<Submitted, EngineError> {
    match answer? {
        Reply::Submitted {
            tasks,
            workflow,
            existing,
        } => Ok(Submitted {
            tasks,
            workflow,
            existing,
        }),
        other => Err(unexpected(&other)),
    }
}
