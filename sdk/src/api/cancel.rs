use russet_core::{Cancel, Rejection, TaskId, WorkflowId};

use super::Api;
use crate::wire::{
    CancelTask, CancelWorkflow, CancelledWorkflowView, Problem, TaskNowView, WorkflowCounts,
};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `POST /v1/tasks/{id}/cancel`.
    ///
    /// # Errors
    /// An unknown task, or one that has ended otherwise.
    pub async fn cancel(&self, task: TaskId, request: CancelTask) -> Reply<TaskNowView> {
        let reason = request.reason;
        Ok(self.scheduler.cancel(Cancel { task, reason }).await?.into())
    }

    /// `POST /v1/workflows/{id}/cancel`: cancels every task of a workflow that has not ended.
    ///
    /// # Errors
    /// An unknown workflow, or a store that is unavailable: send the same request again then, and
    /// it goes on.
    pub async fn cancel_workflow(
        &self,
        id: WorkflowId,
        request: CancelWorkflow,
    ) -> Reply<CancelledWorkflowView> {
        let scheduler = &self.scheduler;
        let reason = request.reason.as_deref();
        let done = scheduler.cancel_workflow(id, reason).await?;
        let Some(workflow) = scheduler.workflow(id).await? else {
            return Err(Rejection::NoWorkflow { id }.into());
        };
        Ok(CancelledWorkflowView {
            workflow: id,
            name: workflow.name.clone(),
            cancelled: done.cancelled,
            asked: done.asked,
            counts: WorkflowCounts::from(&workflow),
        })
    }
}
