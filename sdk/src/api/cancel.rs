use futures::future::join_all;
use russet_core::{Cancel, Rejection, Status, TaskId, WorkflowId};
use russet_engine::EngineError;

use super::Api;
use crate::limits;
use crate::wire::{
    CancelTask, CancelWorkflow, CancelledWorkflowView, ListTasks, Problem, TaskNowView,
    WorkflowCounts,
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

    /// `POST /v1/workflows/{id}/cancel`: cancels every task of a workflow that has not ended, the
    /// newest first, so that what waits for a failure is cancelled before there is one.
    ///
    /// # Errors
    /// An unknown workflow, or a store that is unavailable: send the same request again then, and
    /// it goes on.
    pub async fn cancel_workflow(
        &self,
        id: WorkflowId,
        request: CancelWorkflow,
    ) -> Reply<CancelledWorkflowView> {
        let (mut cancelled, mut asked) = (0, 0);
        let mut listing = ListTasks {
            workflow_id: Some(id.to_string()),
            order: Some("newest".to_owned()),
            limit: Some(limits::PAGE_TASKS_MAX),
            ..ListTasks::default()
        };
        loop {
            let page = self.scheduler.list(listing.clone().into_listing()?).await?;
            let live = page.items.iter().filter(|task| !task.status.is_terminal());
            let cancel = |task: TaskId| {
                let reason = request.reason.clone();
                self.scheduler.cancel(Cancel { task, reason })
            };
            for now in join_all(live.map(|task| cancel(task.id))).await {
                match now {
                    Ok(now) if now.status == Status::Cancelled => cancelled += 1,
                    Ok(_) => asked += 1,
                    // It has ended meanwhile.
                    Err(EngineError::Rejected(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.next {
                Some(next) => listing.after = Some(next.to_string()),
                None => break,
            }
        }
        let Some(workflow) = self.scheduler.workflow(id).await? else {
            return Err(Rejection::NoWorkflow { id }.into());
        };
        Ok(CancelledWorkflowView {
            workflow: id,
            name: workflow.name.clone(),
            cancelled,
            asked,
            counts: WorkflowCounts::from(&workflow),
        })
    }
}
