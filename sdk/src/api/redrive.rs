use std::sync::Arc;

use futures::future::join_all;
use russet_core::{Redrive, Rejection, Status, Task, TaskId, WorkflowId};
use russet_engine::{EngineError, RedrivenWorkflow, TaskNow};

use super::Api;
use crate::limits;
use crate::wire::{
    ListTasks, Problem, RedriveTask, RedriveTasks, RedriveWorkflow, RedrivenView,
    RedrivenWorkflowView, RefusedRedrive, TaskNowView, TaskView, WorkflowCounts, request_number,
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
    async fn redrive_as(
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

    /// `POST /v1/tasks/redrive`: gives one page of dead tasks a new life.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, a filter that cannot be, or a store
    /// that is unavailable: send the same request again then. A task that cannot be redriven is
    /// counted instead.
    pub async fn redrive_each(&self, request: RedriveTasks) -> Reply<RedrivenView> {
        request.check()?;
        let number = request_number(request.request_id.as_deref())?;
        let listing = ListTasks {
            queue: request.queue,
            status: Some(Status::Dead.as_str().to_owned()),
            after: request.after,
            limit: Some(request.limit.unwrap_or(limits::PAGE_TASKS_MAX)),
            ..ListTasks::default()
        };
        let page = self.scheduler.list(listing.into_listing()?).await?;
        let redrive = |task: &Arc<Task>| self.redrive_as(task.id, number, false);
        let (mut redriven, mut refused) = (0, 0);
        for result in join_all(page.items.iter().map(redrive)).await {
            match result {
                Ok(_) => redriven += 1,
                Err(EngineError::Rejected(_)) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(RedrivenView {
            redriven,
            refused,
            next: page.next,
        })
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
    async fn refusals(&self, redriven: RedrivenWorkflow) -> Reply<Vec<RefusedRedrive>> {
        let mut refused = redriven.refused;
        refused.truncate(limits::REFUSALS);
        let ids: Vec<_> = refused.iter().map(|(task, _)| *task).collect();
        let tasks = self.scheduler.get_each(&ids).await?;
        let refusals = refused.into_iter().zip(tasks);
        Ok(refusals
            .map(|((id, rejection), task)| RefusedRedrive {
                task: id,
                name: task.and_then(|task| TaskView::new(&task, &[]).name()),
                code: rejection.code().to_owned(),
                detail: rejection.to_string(),
            })
            .collect())
    }
}
