//! How tasks and workflows come in.

use russet_core::{
    Command, NewTask, PartitionId, Reply, Submit, TaskId, WorkflowId, cycles_among, waves_among,
};

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

    /// Submits many tasks that stand each by themselves; one result for each, in order.
    pub async fn submit_each(&self, tasks: Vec<NewTask>) -> Vec<Result<Submitted, EngineError>> {
        let submit = |task| Submit {
            workflow: None,
            tasks: vec![task],
        };
        let mut refused = cycles_among(&tasks);
        let waves = waves_among(&tasks);
        let last = waves.iter().copied().max().unwrap_or(0);
        let mut by_wave: Vec<Vec<(usize, NewTask)>> = (0..=last).map(|_| Vec::new()).collect();
        let mut results: Vec<Result<Submitted, EngineError>> = Vec::with_capacity(tasks.len());
        for (at, task) in tasks.into_iter().enumerate() {
            match refused.remove(&at) {
                Some(cycle) => results.push(Err(cycle.into())),
                None => {
                    by_wave[waves[at]].push((at, task));
                    results.push(Err(EngineError::Stopping));
                }
            }
        }
        for wave in by_wave {
            let (positions, tasks): (Vec<_>, Vec<_>) = wave.into_iter().unzip();
            let command = |task: NewTask| (task.id.partition(), Command::Submit(submit(task)));
            let answers = self
                .node
                .call_each(tasks.into_iter().map(command).collect());
            for (at, answer) in positions.into_iter().zip(answers.await) {
                results[at] = submitted(answer);
            }
        }
        results
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
