use std::time::Duration;

use russet_core::{Rejection, Submit, Task, TaskId, WorkflowId};

use super::Api;
use super::batch::{items, part};
use super::warnings::Warnings;
use crate::limits;
use crate::wire::{
    ListTasks, OneOrMany, OneOrResults, Page, Problem, SubmitTask, SubmitWorkflow, SubmittedView,
    SubmittedWorkflowView, TaskNowView, TaskView, WaitTask, WorkflowView,
};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `POST /v1/tasks`: one task, or many that stand each by themselves.
    ///
    /// # Errors
    /// Why the task, or the batch as a whole, is refused.
    pub async fn submit(
        &self,
        request: OneOrMany<SubmitTask>,
    ) -> Reply<OneOrResults<SubmittedView>> {
        match request {
            OneOrMany::One(task) => self.submit_one(*task).await.map(OneOrResults::One),
            many => {
                let (tasks, asked) = items(many)?;
                asked.reply(self.submit_each(tasks).await)
            }
        }
    }

    /// Submits one task.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn submit_one(&self, task: SubmitTask) -> Reply<SubmittedView> {
        let task = task.into_new_task(&self.scheduler)?;
        let warnings = Warnings::new(&self.scheduler).of(&task);
        let waits = !task.dependencies.is_empty();
        let submit = Submit {
            workflow: None,
            tasks: vec![task],
        };
        let submitted = SubmittedView::from(self.scheduler.submit(submit).await?);
        let mut submitted = submitted.warned(warnings);
        if waits {
            self.tell_where(vec![&mut submitted]).await;
        }
        Ok(submitted)
    }

    /// Submits tasks that stand each by themselves; one result for each, in order.
    pub async fn submit_each(&self, tasks: Vec<SubmitTask>) -> Vec<Reply<SubmittedView>> {
        let checked = tasks.into_iter().map(|t| t.into_new_task(&self.scheduler));
        let (tasks, places) = part(checked);
        let mut warnings = Warnings::new(&self.scheduler);
        let warnings: Vec<_> = tasks.iter().map(|task| warnings.of(task)).collect();
        let waits = tasks.iter().map(|task| !task.dependencies.is_empty());
        let waits: Vec<_> = waits.collect();
        let submitted = self.scheduler.submit_each(tasks).await.into_iter();
        let warned = submitted.zip(warnings).map(|(submitted, warnings)| {
            let submitted = submitted.map_err(Problem::from)?;
            Ok(SubmittedView::from(submitted).warned(warnings))
        });
        let mut warned: Vec<_> = warned.collect();
        let waiting = warned.iter_mut().zip(waits).filter(|(_, waits)| *waits);
        self.tell_where(waiting.filter_map(|(one, _)| one.as_mut().ok()).collect())
            .await;
        places.fill(warned)
    }

    /// Says of submitted tasks where they are. They are accepted also when that cannot be said.
    async fn tell_where(&self, submitted: Vec<&mut SubmittedView>) {
        let ids: Vec<_> = submitted.iter().map(|one| one.task).collect();
        let found = self.scheduler.get_each(&ids).await.unwrap_or_default();
        for (one, task) in submitted.into_iter().zip(found) {
            if let Some(task) = task {
                one.told(&task);
            }
        }
    }

    /// `POST /v1/workflows`.
    ///
    /// # Errors
    /// Why the workflow is refused; none of its tasks exists then.
    pub async fn submit_workflow(&self, request: SubmitWorkflow) -> Reply<SubmittedWorkflowView> {
        let workflow = request.into_submit(&self.scheduler)?;
        let mut warnings = Warnings::new(&self.scheduler);
        for task in &workflow.submit.tasks {
            warnings.of(task);
        }
        let warnings = warnings.all();
        let submitted = self.scheduler.submit(workflow.submit.clone()).await?;
        Ok(SubmittedWorkflowView {
            warnings,
            ..workflow.reply(&submitted)
        })
    }

    /// `GET /v1/tasks/{id}`.
    ///
    /// # Errors
    /// An unknown task.
    pub async fn get(&self, id: TaskId) -> Reply<TaskView> {
        match self.scheduler.get(id).await? {
            Some(task) => self.view(&task).await,
            None => Err(Rejection::NotFound { task: id }.into()),
        }
    }

    /// `GET /v1/tasks`.
    ///
    /// # Errors
    /// A filter that cannot be.
    pub async fn list(&self, request: ListTasks) -> Reply<Page<TaskView>> {
        let page = self.scheduler.list(request.into_listing()?).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for task in &page.items {
            items.push(self.view(task).await?);
        }
        let next = page.next;
        Ok(Page { items, next })
    }

    /// `GET /v1/tasks/{id}/wait`: the task when it has ended, or as it is when time is up.
    ///
    /// # Errors
    /// An unknown task.
    pub async fn wait(&self, id: TaskId, request: WaitTask) -> Reply<TaskView> {
        let ms = request.timeout_ms.unwrap_or(limits::TASK_WAIT_MS);
        if ms > limits::TASK_WAIT_MS {
            let limit = format!("at most {}", limits::TASK_WAIT_MS);
            let problem = format!("{ms} is too long: ask again afterwards");
            return Err(Rejection::invalid("timeout_ms", problem, limit).into());
        }
        match self.scheduler.wait(id, Duration::from_millis(ms)).await? {
            Some(task) => self.view(&task).await,
            None => Err(Rejection::NotFound { task: id }.into()),
        }
    }

    /// `POST /v1/tasks/{id}/purge`.
    ///
    /// # Errors
    /// An unknown task, or one that has not ended.
    pub async fn purge(&self, task: TaskId) -> Reply<TaskNowView> {
        Ok(self.scheduler.purge(task).await?.into())
    }

    /// `GET /v1/workflows/{id}`, with the page of its tasks that `request` asks for.
    ///
    /// # Errors
    /// An unknown workflow, or a filter that cannot be.
    pub async fn workflow(&self, id: WorkflowId, request: ListTasks) -> Reply<WorkflowView> {
        let Some(workflow) = self.scheduler.workflow(id).await? else {
            return Err(Rejection::NoWorkflow { id }.into());
        };
        let workflow_id = Some(id.to_string());
        let tasks = self.list(ListTasks {
            workflow_id,
            ..request
        });
        Ok(WorkflowView::new(&workflow, tasks.await?))
    }

    async fn view(&self, task: &Task) -> Reply<TaskView> {
        Ok(TaskView::load(&self.scheduler, task).await?)
    }
}
