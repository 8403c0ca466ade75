use russet_core::{Redrive, Rejection, TaskId, WorkflowId};
use russet_engine::{EngineError, RedrivenWorkflow, TaskNow};

use super::Api;
use super::bulk::refused_task;
use crate::limits;
use crate::wire::{
    Problem, RedriveTask, RedriveWorkflow, RedrivenWorkflowView, RefusedTask, TaskNowView,
    WorkflowCounts, request_number,
};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `POST /v1/tasks/{id}/redrive`.
    ///
    /// # Errors
    /// An unknown task, or one that cannot be redriven.
    pub async fn redrive(&self, task: TaskId, request: RedriveTask) -> Reply<TaskNowView> {
        let number = request_number(request.request_id.as_deref())?;
        let redriven = self.redrive_as(task, number, request.cancelled);
        Ok(redriven.await?.into())
    }

    /// A redrive without an identity gets a new one.
    pub(super) async fn redrive_as(
        &self,
        task: TaskId,
        id: Option<u64>,
        cancelled: bool,
    ) -> Result<TaskNow, EngineError> {
        let redrive = Redrive {
            task,
            id: id.unwrap_or_else(|| self.scheduler.new_redrive_id()),
            cancelled,
        };
        self.scheduler.redrive_as(redrive).await
    }

    /// `POST /v1/workflows/{id}/redrive`: lets a workflow go on where it failed.
    ///
    /// # Errors
    /// An unknown workflow, or a store that is unavailable: send the same request again then, and
    /// it goes on. A task that cannot be redriven is told of instead.
    pub async fn redrive_workflow(
        &self,
        id: WorkflowId,
        request: RedriveWorkflow,
    ) -> Reply<RedrivenWorkflowView> {
        let number = request_number(request.request_id.as_deref())?;
        let scheduler = &self.scheduler;
        let redriven = scheduler.redrive_workflow(id, number, request.cancelled);
        let redriven = redriven.await?;
        let Some(workflow) = scheduler.workflow(id).await? else {
            return Err(Rejection::NoWorkflow { id }.into());
        };
        Ok(RedrivenWorkflowView {
            workflow: id,
            name: workflow.name.clone(),
            redriven: redriven.redriven,
            refused: redriven.refused.len() as u64,
            counts: WorkflowCounts::from(&workflow),
            refusals: self.refusals(redriven).await?,
        })
    }

    /// The first refusals, each with the name of its task.
    async fn refusals(&self, redriven: RedrivenWorkflow) -> Reply<Vec<RefusedTask>> {
        let mut refused = redriven.refused;
        refused.truncate(limits::REFUSALS);
        let ids: Vec<_> = refused.iter().map(|(task, _)| *task).collect();
        let tasks = self.scheduler.get_each(&ids).await?;
        let refusals = refused.into_iter().zip(tasks);
        let refusals =
            refusals.map(|((id, rejection), task)| refused_task(id, task.as_deref(), &rejection));
        Ok(refusals.collect())
    }
}
