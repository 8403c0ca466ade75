//! What ids and keys name.

use russet_core::{Idempotency, Named, NewTask, TaskId, Window, WorkflowId};

use super::{Name, Oracle};

impl Oracle {
    /// The task that was submitted before under the same id or key.
    pub(super) fn submitted_before(
        &mut self,
        task: &NewTask,
        workflow: Option<WorkflowId>,
        batch: &[NewTask],
        fresh: &[&NewTask],
    ) -> Result<Option<TaskId>, &'static str> {
        if let Some(job) = self.job(task.id) {
            let asked = &job.asked;
            let same = (
                &asked.kind,
                &asked.queue,
                &asked.payload,
                &asked.idempotency,
            ) == (&task.kind, &task.queue, &task.payload, &task.idempotency);
            let same = same && job.workflow == workflow;
            return if same {
                Ok(Some(task.id))
            } else {
                Err("idempotency_conflict")
            };
        }
        let Some(known) = &task.idempotency else {
            return Ok(None);
        };
        let request = plain(std::slice::from_ref(task), batch);
        match self.named(known, &request, fresh)? {
            Some(Named::Task(id)) => Ok(Some(id)),
            _ => {
                self.name(known, Named::Task(task.id), request);
                Ok(None)
            }
        }
    }

    /// What a key names now; `fresh` are tasks of the same command.
    pub(super) fn named(
        &self,
        known: &Idempotency,
        request: &[NewTask],
        fresh: &[&NewTask],
    ) -> Result<Option<Named>, &'static str> {
        let Some(name) = self.names.get(&(self.here, known.key.clone())) else {
            return Ok(None);
        };
        let holds = match (name.window, name.named) {
            (_, Named::Task(id)) if fresh.iter().any(|task| task.id == id) => true,
            (Window::For(window), _) => self.now < name.created + window,
            (Window::WhileLive, Named::Task(id)) => self.is_live(id),
            (Window::WhileLive, Named::Workflow(id)) => {
                self.flows.contains_key(&id)
                    && self.members(id).any(|job| !job.status.is_terminal())
            }
        };
        match holds {
            false => Ok(None),
            true if name.request == request => Ok(Some(name.named)),
            true => Err("idempotency_conflict"),
        }
    }

    pub(super) fn name(&mut self, known: &Idempotency, named: Named, request: Vec<NewTask>) {
        let name = Name {
            named,
            request,
            window: known.window,
            created: self.now,
        };
        self.names.insert((self.here, known.key.clone()), name);
    }

    /// The id that a follow-up task was accepted under.
    pub(super) fn accepted_as(&self, task: &NewTask) -> TaskId {
        let key = task
            .idempotency
            .as_ref()
            .filter(|_| self.job(task.id).is_none());
        let name = key.and_then(|known| self.names.get(&(self.here, known.key.clone())));
        match name.map(|name| name.named) {
            Some(Named::Task(id)) => id,
            _ => task.id,
        }
    }
}

/// What is asked for, whatever ids it is asked for under.
pub(super) fn plain(tasks: &[NewTask], batch: &[NewTask]) -> Vec<NewTask> {
    let place = |id| match batch.iter().position(|task| task.id == id) {
        Some(at) => TaskId::from_u128(at as u128),
        None => id,
    };
    let plain = tasks.iter().cloned().map(|mut task| {
        task.id = TaskId::from_u128(0);
        task.idempotency = None;
        for edge in &mut task.dependencies {
            edge.task = place(edge.task);
        }
        task
    });
    plain.collect()
}
