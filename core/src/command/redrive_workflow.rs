use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::redrive::{Redrive, own_reads};
use super::validate;
use crate::draft::{Draft, Step};
use crate::rules::dependencies;
use crate::{Dependency, RecordKey, Rejection, Reply, Status, Task, TaskId, WorkflowId, limits};

/// Gives tasks of a workflow a new life, so that it goes on where it failed: some of its tasks at
/// a time, parents before their children. Each is redriven or refused by itself; the reply ends
/// where the transaction is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveWorkflow {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Tasks of it, in the order in which they come back to life.
    pub tasks: Vec<TaskId>,
    /// The identity of the whole redrive, at random.
    pub id: u64,
    /// Tasks that somebody cancelled are meant too.
    pub cancelled: bool,
}

impl RedriveWorkflow {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        let tasks = self.tasks.iter().copied().map(RecordKey::Task);
        tasks.chain([RecordKey::Workflow(self.workflow)]).collect()
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        validate::count("tasks", self.tasks.len(), limits::BATCH_ITEMS)?;
        draft.need(self.reads())?;
        let id = self.workflow;
        if !draft.workflow(id)?.is_some_and(|known| known.is_accepted()) {
            return Err(Rejection::NoWorkflow { id }.into());
        }
        self.need_all(draft)?;
        let mut tasks = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            match draft.attempt(|draft| self.redrive(draft, *task))? {
                // The others go into another transaction.
                Err(Rejection::TooManyParents { .. }) if !tasks.is_empty() => break,
                result => tasks.push(result),
            }
        }
        while self.redrive_refused(draft, &mut tasks)? {}
        Ok(Reply::Redriven { tasks })
    }

    /// Tries again what was refused before its parents were redriven, when children stand first:
    /// then the reply does not depend on how often the command is decided. Whether any of them
    /// came back.
    fn redrive_refused(
        &self,
        draft: &mut Draft<'_>,
        tasks: &mut [Result<Status, Rejection>],
    ) -> Step<bool> {
        if tasks.iter().all(Result::is_err) {
            return Ok(false);
        }
        let mut any = false;
        for (task, result) in self.tasks.iter().zip(tasks) {
            if result.is_err()
                && let Ok(status) = draft.attempt(|draft| self.redrive(draft, *task))?
            {
                *result = Ok(status);
                any = true;
            }
        }
        Ok(any)
    }

    fn redrive(&self, draft: &mut Draft<'_>, task: TaskId) -> Step<Status> {
        self.member(draft, task)?;
        let redrive = Redrive {
            task,
            id: self.id,
            cancelled: self.cancelled,
        };
        Ok(redrive.revived(draft)?.status)
    }

    fn member(&self, draft: &Draft<'_>, id: TaskId) -> Step<Arc<Task>> {
        let task = draft.known_task(id)?;
        match task.workflow == Some(self.workflow) {
            true => Ok(task),
            false => Err(Rejection::NotFound { task: id }.into()),
        }
    }

    /// Asks for what all tasks need at once, not task by task.
    fn need_all(&self, draft: &Draft<'_>) -> Step<()> {
        let members = self.tasks.iter().map(|id| self.member(draft, *id));
        let ended = |task: &Arc<Task>| task.status.is_terminal();
        let members: Vec<_> = members.flatten().filter(ended).collect();
        draft.need(members.iter().flat_map(|task| own_reads(task)))?;
        let waiting = members.iter().filter(|task| task.attempt == 0);
        let waiting: Vec<_> = waiting.collect();
        draft.need(waiting.iter().flat_map(|task| {
            (0..task.dependencies.chunks()).map(|chunk| RecordKey::Dependencies(task.id, chunk))
        }))?;
        let edges = waiting.iter().map(|task| dependencies(draft, task));
        let edges = edges.collect::<Step<Vec<_>>>()?;
        let here = draft.view.partition;
        let near = |edge: &&Dependency| edge.task.partition() == here;
        let parents = || edges.iter().flatten().filter(near).map(|edge| edge.task);
        draft.need(parents().map(RecordKey::Task))?;
        let ends = parents().map(|parent| draft.find_task(parent));
        let ends = ends.collect::<Step<Vec<_>>>()?;
        draft.need(
            ends.into_iter()
                .flatten()
                .filter_map(|task| next_list(task)),
        )
    }
}

/// The record that the next dependent of a task is written to, when that is not the task's own:
/// one that comes back to life starts a new one.
fn next_list(task: &Task) -> Option<RecordKey> {
    let lists = &task.dependents;
    let chunk = match task.status.is_terminal() {
        true => Some(lists.chunks()).filter(|chunks| *chunks > 0),
        false => (!lists.has_room_inline()).then_some(lists.end()),
    };
    chunk.map(|chunk| RecordKey::Dependents(task.id, chunk))
}
