//! What ids and keys name.

use std::collections::BTreeSet;

use russet_core::command::When;
use russet_core::{Dependency, Idempotency, Named, NewTask, TaskId, Window, WorkflowId};

use super::{Job, Name, Oracle};

impl Oracle {
    /// The task that was submitted before under the same id or key.
    pub(super) fn submitted_before(
        &mut self,
        task: &NewTask,
        workflow: Option<WorkflowId>,
        batch: &[NewTask],
    ) -> Result<Option<TaskId>, &'static str> {
        if let Some(job) = self.job(task.id) {
            let same = asks_for(job, task)
                && job.asked.idempotency == task.idempotency
                && job.workflow == workflow;
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
        let all: Vec<_> = batch.iter().collect();
        match self.named(known, &request, &all)? {
            Some(Named::Task(id)) => Ok(Some(id)),
            _ => {
                self.name(known, Named::Task(task.id), Some(request));
                Ok(None)
            }
        }
    }

    /// What a key names now; `own` are tasks of the same command.
    pub(super) fn named(
        &self,
        known: &Idempotency,
        request: &[NewTask],
        own: &[&NewTask],
    ) -> Result<Option<Named>, &'static str> {
        let Some(name) = self.names.get(&(self.here, known.key.clone())) else {
            return Ok(None);
        };
        let same = match (&name.request, name.named, request) {
            (Some(known), ..) => known == request,
            (None, Named::Task(id), [asked]) => self
                .job(id)
                .is_some_and(|job| asks_for(job, asked) && edges(&job.asked) == edges(asked)),
            (None, ..) => false,
        };
        match self.holds(name, own) {
            false => Ok(None),
            true if same => Ok(Some(name.named)),
            true => Err("idempotency_conflict"),
        }
    }

    fn holds(&self, name: &Name, own: &[&NewTask]) -> bool {
        match (name.window, name.named) {
            (_, Named::Task(id)) if own.iter().any(|task| task.id == id) => true,
            (Window::For(window), _) => self.now < name.created + window,
            (Window::WhileLive, Named::Task(id)) => self.is_live(id),
            (Window::WhileLive, Named::Workflow(id)) => {
                self.closed.contains_key(&id)
                    || self.flows.contains_key(&id)
                        && self.members(id).any(|job| !job.status.is_terminal())
            }
        }
    }

    pub(super) fn name(
        &mut self,
        known: &Idempotency,
        named: Named,
        request: Option<Vec<NewTask>>,
    ) {
        let name = Name {
            named,
            request,
            window: known.window,
            created: self.now,
        };
        self.names.insert((self.here, known.key.clone()), name);
    }

    /// What comes back to life gets its key back, unless the key names something else.
    pub(super) fn take_back(&mut self, own: &Idempotency, id: Named) -> Result<(), &'static str> {
        if own.window != Window::WhileLive {
            return Ok(());
        }
        match self.names.get(&(self.here, own.key.clone())) {
            Some(name) if name.named == id => {}
            Some(name) if self.holds(name, &[]) => return Err("idempotency_conflict"),
            _ => self.name(own, id, None),
        }
        Ok(())
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

/// Whether a task was asked for like this, apart from ids, dependencies and what is forgotten:
/// names, expectations, and the times of a task that has started.
fn asks_for(job: &Job, task: &NewTask) -> bool {
    let mut asked = NewTask {
        id: task.id,
        label: task.label.clone(),
        expected: task.expected,
        dependencies: task.dependencies.clone(),
        idempotency: task.idempotency.clone(),
        ..job.asked.clone()
    };
    if asked.priority.unwrap_or(4) == task.priority.unwrap_or(4) {
        asked.priority = task.priority;
    }
    let at = |when: Option<When>| {
        when.map(|when| match when {
            When::At(at) => at,
            When::In(after) => job.created + after,
        })
    };
    let started = job.attempts > 0 || job.redriven_by.is_some();
    if started || (at(asked.start), at(asked.expires)) == (at(task.start), at(task.expires)) {
        (asked.start, asked.expires) = (task.start, task.expires);
    }
    asked == *task
}

fn edges(task: &NewTask) -> BTreeSet<Dependency> {
    task.dependencies.iter().copied().collect()
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
