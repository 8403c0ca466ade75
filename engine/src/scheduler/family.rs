//! The tasks of a workflow, all of them, and in which order they depend on one another.

use std::collections::HashMap;

use russet_core::{Rejection, Status, Task, TaskId, WorkflowId, policy};

use super::Scheduler;
use crate::{EngineError, Listing, StoreError, limits};

/// What matters of a task of a workflow.
pub(super) struct Member {
    pub id: TaskId,
    pub status: Status,
    pub cancel_requested: bool,
    pub redriven_by: Option<u64>,
    /// The parents whose end it minds.
    parents: Vec<TaskId>,
}

/// The tasks, each behind those of them that it minds the end of.
pub(super) fn parents_first(members: &[Member]) -> Vec<TaskId> {
    let places: HashMap<_, _> = members.iter().map(|member| &member.id).zip(0..).collect();
    let place = |id: &TaskId| places.get(id).copied();
    let parents = members.iter().map(|member| &member.parents);
    let parents: Vec<Vec<usize>> = parents
        .map(|parents| parents.iter().filter_map(place).collect())
        .collect();
    match policy::order(&parents) {
        Ok(order) => order.into_iter().map(|at| members[at].id).collect(),
        Err(cycle) => panic!("broken invariant: tasks {cycle:?} depend on one another"),
    }
}

impl Scheduler {
    /// All tasks of a workflow, also where listings follow the records late: its own record says
    /// how many there are. Those that mind no parent have none here.
    pub(super) async fn members(
        &self,
        workflow: WorkflowId,
        minds: fn(&Task) -> bool,
    ) -> Result<Vec<Member>, EngineError> {
        let record = async || match self.workflow(workflow).await? {
            Some(record) => Ok(record),
            None => Err(EngineError::from(Rejection::NoWorkflow { id: workflow })),
        };
        let mut tries = 0;
        loop {
            let before = record().await?;
            let members = self.listed_members(workflow, minds).await?;
            let purged = record().await?.purged;
            if members.len() >= before.tasks.saturating_sub(purged) as usize {
                return Ok(members);
            }
            tries += 1;
            if tries >= limits::LISTING_TRIES {
                let why = format!(
                    "only {} tasks of the workflow {workflow} are listed yet, of {}: try again",
                    members.len(),
                    before.tasks
                );
                return Err(StoreError::Unavailable { why }.into());
            }
            self.node.clock.sleep(limits::LISTING_PAUSE).await;
        }
    }

    async fn listed_members(
        &self,
        workflow: WorkflowId,
        minds: fn(&Task) -> bool,
    ) -> Result<Vec<Member>, EngineError> {
        let mut members = Vec::new();
        let mut listing = Listing {
            workflow: Some(workflow),
            limit: limits::PAGE_TASKS,
            ..Listing::default()
        };
        loop {
            let page = self.list_whole(listing.clone()).await?;
            for task in &page.items {
                let parents = match minds(task) {
                    true => self.dependencies(task).await?,
                    false => Vec::new(),
                };
                members.push(Member {
                    id: task.id,
                    status: task.status,
                    cancel_requested: task.cancel_requested,
                    redriven_by: task.redriven_by,
                    parents: parents.into_iter().map(|edge| edge.task).collect(),
                });
            }
            match page.next {
                Some(next) => listing.after = Some(next),
                None => return Ok(members),
            }
        }
    }
}
