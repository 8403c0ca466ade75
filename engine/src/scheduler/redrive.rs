//! New lives: of a task, and of all that failed in a workflow.

use std::collections::HashMap;
use std::sync::Arc;

use russet_core::{
    Command, Redrive, RedriveWorkflow, Rejection, Reply, Status, Task, TaskId, WorkflowId, planted,
    policy,
};

use super::write::{now, unexpected};
use super::{Scheduler, TaskNow};
use crate::{EngineError, Listing, StoreError, limits};

/// What a redrive of a workflow came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedrivenWorkflow {
    /// How many tasks came back to life, also by an earlier try of the same redrive.
    pub redriven: u64,
    /// The tasks that are dead or cancelled and stay so, and why.
    pub refused: Vec<(TaskId, Rejection)>,
}

/// The tasks of a workflow that might come back to life.
#[derive(Default)]
struct Ended {
    tasks: Vec<TaskId>,
    /// The parents that each of them minds.
    parents: Vec<Vec<TaskId>>,
    /// How many others the same redrive brought back before.
    redriven: u64,
    /// How many tasks there are, with those that have not ended or succeeded.
    listed: u64,
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
        let ended = self.all_ended(workflow, id).await?;
        let mut done = RedrivenWorkflow {
            redriven: ended.redriven,
            refused: Vec::new(),
        };
        let order = ended.in_order();
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

    /// All tasks of a workflow, also where listings follow the records late: its own record says
    /// how many there are.
    async fn all_ended(&self, workflow: WorkflowId, redrive: u64) -> Result<Ended, EngineError> {
        let record = async || match self.workflow(workflow).await? {
            Some(record) => Ok(record),
            None => Err(EngineError::from(Rejection::NoWorkflow { id: workflow })),
        };
        let mut tries = 0;
        loop {
            let before = record().await?;
            let ended = self.ended(workflow, redrive).await?;
            let purged = record().await?.purged;
            if ended.listed >= u64::from(before.tasks.saturating_sub(purged)) {
                return Ok(ended);
            }
            tries += 1;
            if tries >= limits::LISTING_TRIES {
                let why = format!(
                    "only {} tasks of the workflow {workflow} are listed yet, of {}: try again",
                    ended.listed, before.tasks
                );
                return Err(StoreError::Unavailable { why }.into());
            }
            self.node.clock.sleep(limits::LISTING_PAUSE).await;
        }
    }

    async fn ended(&self, workflow: WorkflowId, redrive: u64) -> Result<Ended, EngineError> {
        let mut ended = Ended::default();
        let mut listing = Listing {
            workflow: Some(workflow),
            limit: limits::PAGE_TASKS,
            ..Listing::default()
        };
        loop {
            let page = self.list(listing.clone()).await?;
            ended.listed += page.items.len() as u64;
            for task in &page.items {
                if matches!(task.status, Status::Dead | Status::Cancelled) {
                    ended.tasks.push(task.id);
                    ended.parents.push(self.minded_parents(task).await?);
                } else {
                    ended.redriven += u64::from(task.redriven_by == Some(redrive));
                }
            }
            match page.next {
                Some(next) => listing.after = Some(next),
                None => return Ok(ended),
            }
        }
    }

    /// The parents whose end a task waits for when it comes back to life: none, when it has
    /// started before.
    async fn minded_parents(&self, task: &Arc<Task>) -> Result<Vec<TaskId>, EngineError> {
        if task.attempt > 0 {
            return Ok(Vec::new());
        }
        let edges = self.dependencies(task).await?;
        Ok(edges.into_iter().map(|edge| edge.task).collect())
    }
}

impl Ended {
    /// The tasks, each behind its parents.
    fn in_order(&self) -> Vec<TaskId> {
        let places: HashMap<_, _> = self.tasks.iter().zip(0..).collect();
        let place = |id: &TaskId| places.get(id).copied();
        let parents = self.parents.iter();
        let parents: Vec<Vec<usize>> = parents
            .map(|parents| parents.iter().filter_map(place).collect())
            .collect();
        match policy::order(&parents) {
            Ok(mut order) => {
                if planted!(ChildrenRedrivenFirst) {
                    order.reverse();
                }
                order.into_iter().map(|at| self.tasks[at]).collect()
            }
            Err(cycle) => panic!("broken invariant: tasks {cycle:?} depend on one another"),
        }
    }
}
