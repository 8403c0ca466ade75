//! A workflow, checked and as `core` takes it.

use russet_core::command::NewWorkflow;
use russet_core::{Label, Rejection, Submit, TaskId, WorkflowId};
use russet_engine::{Scheduler, Submitted};

use super::names::resolve;
use super::new_task::{idempotency, key_of_partition, refused};
use super::submit::SubmitTask;
use super::{SubmitWorkflow, SubmittedWorkflowView};
use crate::limits;

/// A workflow to be submitted, and what its tasks are called.
#[derive(Clone, Debug)]
pub struct NamedWorkflow {
    /// What to submit.
    pub submit: Submit,
    names: Vec<String>,
}

impl SubmitWorkflow {
    /// The workflow as `core` takes it, under its own id or a new one. The ids of the tasks
    /// follow from the workflow's, so that the same submission has the same ids.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with the field that cannot be, such as an unknown name.
    pub fn into_submit(mut self, scheduler: &Scheduler) -> Result<NamedWorkflow, Rejection> {
        if self.tasks.len() > limits::WORKFLOW_TASKS {
            let problem = format!("has {} items", self.tasks.len());
            let limit = format!("1 to {} items", limits::WORKFLOW_TASKS);
            return Err(Rejection::invalid("tasks", problem, limit));
        }
        let idempotency = idempotency(self.idempotency_key.take(), self.idempotency_window_ms)?;
        let place = key_of_partition(self.partition_key.as_deref())?;
        let key = idempotency.as_ref().map(|known| &known.key);
        let drawn = scheduler.new_workflow_id(key, place.as_ref());
        let id = self.id.unwrap_or(drawn);
        if (key.is_some() || place.is_some()) && id.partition() != drawn.partition() {
            return Err(Rejection::invalid(
                "id",
                format!("names partition {}", id.partition().0),
                format!("partition {}, which the key chooses", drawn.partition().0),
            ));
        }
        let name = self.name.as_deref().map(Label::new).transpose();
        let workflow = NewWorkflow {
            id,
            name: name.map_err(|e| refused("name", e))?,
            idempotency,
        };
        let names = self.prepare()?;
        let mut tasks = resolve("tasks", self.tasks, |at| task_id(id, at))?;
        for task in &mut tasks {
            task.partition_key.clone_from(&place);
        }
        Ok(NamedWorkflow {
            submit: Submit {
                workflow: Some(workflow),
                tasks,
            },
            names,
        })
    }

    /// Puts the defaults in and refuses what is not for tasks of a workflow.
    fn prepare(&mut self) -> Result<Vec<String>, Rejection> {
        let mut names = Vec::with_capacity(self.tasks.len());
        for (at, task) in self.tasks.iter_mut().enumerate() {
            names.push(fit(task).map_err(|r| r.within(&format!("tasks[{at}]")))?);
            if let Some(defaults) = &self.defaults {
                defaults.apply(task);
            }
        }
        Ok(names)
    }
}

/// The name of a task that can stand in a workflow.
fn fit(task: &SubmitTask) -> Result<String, Rejection> {
    let wrong =
        |field: &str, problem: &str, limit: &str| Err(Rejection::invalid(field, problem, limit));
    if task.id.is_some() {
        let limit = "no id; give the workflow one";
        return wrong("id", "is chosen by the workflow's id", limit);
    }
    if task.partition_key.is_some() {
        let limit = "none; give the workflow one";
        return wrong("partition_key", "is the workflow's", limit);
    }
    match &task.name {
        Some(name) => Ok(name.clone()),
        None => wrong("name", "is missing", "a name of its own for each task"),
    }
}

/// The id of the task at `at` in a workflow: of its time and partition, in the order of the
/// submission.
pub(super) fn task_id(workflow: WorkflowId, at: usize) -> TaskId {
    nth_id(workflow.as_u128(), workflow.as_u128() as u64, at)
}

/// The id at `at` behind `low`, of the time and partition that `id` has.
pub(super) fn nth_id(id: u128, low: u64, at: usize) -> TaskId {
    let low = low.wrapping_add(1 + at as u64);
    TaskId::from_u128(id >> 64 << 64 | u128::from(low))
}

impl NamedWorkflow {
    /// The reply to the submission: its tasks by name, also when it had been submitted before.
    pub fn reply(&self, submitted: &Submitted) -> SubmittedWorkflowView {
        let own = self.submit.workflow.as_ref().map(|workflow| workflow.id);
        let workflow = submitted
            .workflow
            .or(own)
            .unwrap_or(WorkflowId::from_u128(0));
        let ids = (0..self.names.len()).map(|at| task_id(workflow, at));
        SubmittedWorkflowView {
            workflow,
            tasks: self.names.iter().cloned().zip(ids).collect(),
            existing: submitted.existing,
            warnings: Vec::new(),
        }
    }
}
