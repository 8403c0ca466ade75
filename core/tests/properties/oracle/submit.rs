//! How tasks come to be.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::command::{Submit, When};
use russet_core::{
    Dependency, Message, Named, NewTask, Reply, Status, TaskId, Timestamp, WorkflowId,
};

use super::keys::plain;
use super::life::is_moot;
use super::{Answer, Expected, Flow, Job, Oracle};

impl Oracle {
    pub(super) fn submit(&mut self, submit: &Submit) -> Expected {
        let Some(new) = &submit.workflow else {
            let (tasks, fresh) = self.create(&submit.tasks, None)?;
            return Ok(submitted(tasks, None, fresh == 0));
        };
        let asked: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
        if submit.tasks.iter().any(|task| task.idempotency.is_some()) {
            return Err("invalid");
        }
        let key = new
            .idempotency
            .clone()
            .map(|known| (known.key, known.window));
        if let Some(closed) = self.closed.get(&new.id) {
            return match closed.flow.asked == submit.tasks && closed.flow.key == key {
                true => self.go_on(new.id),
                false => Err("idempotency_conflict"),
            };
        }
        if let Some(known) = self.flows.get(&new.id) {
            let same = known.asked == submit.tasks && known.key == key;
            return if same {
                Ok(submitted(asked, Some(new.id), true))
            } else {
                Err("idempotency_conflict")
            };
        }
        if let Some(known) = &new.idempotency {
            let request = plain(&submit.tasks, &submit.tasks);
            if let Some(Named::Workflow(id)) = self.named(known, &request, &[])? {
                if self.closed.contains_key(&id) {
                    return Err("incomplete");
                }
                return Ok(submitted(Vec::new(), Some(id), true));
            }
            self.name(known, Named::Workflow(new.id), Some(request));
        }
        let flow = Flow {
            created: self.now,
            key,
            asked: submit.tasks.clone(),
        };
        if self.is_large(&submit.tasks) {
            return self.begin(new.id, flow);
        }
        self.flows.insert(new.id, flow);
        let (tasks, _) = self.create(&submit.tasks, Some(new.id))?;
        Ok(submitted(tasks, Some(new.id), false))
    }

    /// Creates tasks; gives their ids, and how many of them are new.
    pub(super) fn create(
        &mut self,
        asked: &[NewTask],
        workflow: Option<WorkflowId>,
    ) -> Result<(Vec<TaskId>, usize), &'static str> {
        let mut stands_for = BTreeMap::new();
        let mut fresh: Vec<&NewTask> = Vec::new();
        for task in asked {
            let parents: BTreeSet<_> = task.dependencies.iter().map(|edge| edge.task).collect();
            if parents.len() < task.dependencies.len() {
                return Err("invalid");
            }
            let known = self.submitted_before(task, workflow, asked)?;
            stands_for.insert(task.id, known.unwrap_or(task.id));
            if known.is_none() {
                self.check_times(task)?;
                fresh.push(task);
            }
        }
        self.same_dependencies(asked, &stands_for)?;
        let ids: BTreeSet<_> = fresh.iter().map(|task| task.id).collect();
        if ids.len() < fresh.len() {
            return Err("invalid");
        }
        let edges = fresh
            .iter()
            .map(|task| (task.id, resolved(task, &stands_for)));
        let edges: BTreeMap<_, _> = edges.collect();
        if ids.iter().any(|id| reaches(*id, *id, &edges)) {
            return Err("cycle");
        }
        let awaited: BTreeSet<_> = edges.values().flatten().map(|edge| edge.task).collect();
        for task in &fresh {
            let mut job = self.newborn(task, workflow);
            job.is_awaited = awaited.contains(&task.id);
            self.jobs.insert(task.id, job);
        }
        for task in &fresh {
            self.depend(task.id, &edges[&task.id], &ids)?;
        }
        Ok((
            asked.iter().map(|task| stands_for[&task.id]).collect(),
            fresh.len(),
        ))
    }

    /// A task that is known by its id must have been asked for with the same dependencies.
    fn same_dependencies(
        &self,
        asked: &[NewTask],
        stands_for: &BTreeMap<TaskId, TaskId>,
    ) -> Result<(), &'static str> {
        let same = |task: &NewTask| {
            let known = self.job(task.id).map(|job| &job.asked.dependencies);
            known.is_none_or(|known| known.iter().eq(&resolved(task, stands_for)))
        };
        match asked.iter().all(same) {
            true => Ok(()),
            false => Err("idempotency_conflict"),
        }
    }

    fn check_times(&self, task: &NewTask) -> Result<(), &'static str> {
        let start = task.start.map(|start| self.resolve(start));
        let expires = task.expires.map(|expires| self.resolve(expires));
        let never = expires.is_some_and(|at| at <= self.now)
            || start
                .zip(expires)
                .is_some_and(|(start, expires)| start >= expires);
        if never { Err("invalid") } else { Ok(()) }
    }

    fn resolve(&self, when: When) -> Timestamp {
        match when {
            When::At(at) => at,
            When::In(after) => self.now + after,
        }
    }

    pub(super) fn newborn(&self, task: &NewTask, workflow: Option<WorkflowId>) -> Job {
        Job {
            asked: task.clone(),
            workflow,
            gone: false,
            status: Status::Blocked,
            created: self.now,
            updated: self.now,
            start: task.start.map(|start| self.resolve(start)),
            expires: task.expires.map(|expires| self.resolve(expires)),
            attempts: 0,
            retries: 0,
            gated: false,
            untouched: false,
            awaits: BTreeSet::new(),
            is_awaited: false,
            children: Vec::new(),
            told: 0,
            partly: BTreeSet::new(),
            cleared: 0,
            lease: None,
            cancelling: false,
            error: None,
            explained: None,
            result: None,
            progress: None,
            completed: None,
            purge: None,
            unsent: false,
            sends: 0,
            ready: Timestamp::ZERO,
            redriven_by: None,
        }
    }

    /// Makes a new task wait for its parents; `batch` are those that are new with it.
    fn depend(
        &mut self,
        id: TaskId,
        edges: &BTreeSet<Dependency>,
        batch: &BTreeSet<TaskId>,
    ) -> Result<(), &'static str> {
        let mut hopeless = None;
        for edge in edges {
            let child = Dependency {
                task: id,
                on: edge.on,
            };
            if edge.task.partition() != id.partition() {
                self.post(Message::Watch {
                    parent: edge.task,
                    child: id,
                    on: edge.on,
                    life: None,
                });
            } else {
                let parent = self.job(edge.task).ok_or("dependency_not_found")?.clone();
                if let Some(end) = parent.end().filter(|_| !batch.contains(&edge.task)) {
                    if !edge.on.is_satisfied_by(end) {
                        let moot = is_moot(edge.on, Some(end));
                        hopeless = Some(moot && hopeless.unwrap_or(true));
                    }
                    continue;
                }
                self.watch(parent, child);
            }
            self.jobs
                .get_mut(&id)
                .expect("the child")
                .awaits
                .insert(*edge);
        }
        let mut job = self.jobs[&id].clone();
        job.asked.dependencies = edges.iter().copied().collect();
        if let Some(moot) = hopeless {
            self.disappoint(job, moot);
            let outside = edges.iter().filter(|edge| !batch.contains(&edge.task));
            self.keep_parents(id, outside);
        } else {
            self.place(&mut job);
            self.put(job);
        }
        Ok(())
    }

    /// Those that let a task down which came after their end are kept as long as it.
    pub(super) fn keep_parents<'e>(
        &mut self,
        child: TaskId,
        edges: impl Iterator<Item = &'e Dependency>,
    ) {
        let job = &self.jobs[&child];
        let Some(until) = job.purge.filter(|_| job.status.is_terminal()) else {
            return;
        };
        for edge in edges {
            let let_down = |end| !edge.on.is_satisfied_by(end);
            if let Some(mut parent) = self.job(edge.task).cloned()
                && parent.end().is_some_and(let_down)
                && parent.purge < Some(until)
            {
                parent.purge = Some(until);
                self.put(parent);
            }
        }
    }
}

pub(super) fn submitted(
    tasks: Vec<TaskId>,
    workflow: Option<WorkflowId>,
    existing: bool,
) -> Answer {
    Answer::Exactly(Reply::Submitted {
        tasks,
        workflow,
        existing,
    })
}

/// The dependencies of a task, on the ids that its batch stands for.
fn resolved(task: &NewTask, stands_for: &BTreeMap<TaskId, TaskId>) -> BTreeSet<Dependency> {
    let resolve = |edge: &Dependency| Dependency {
        task: stands_for.get(&edge.task).copied().unwrap_or(edge.task),
        on: edge.on,
    };
    task.dependencies.iter().map(resolve).collect()
}

/// Whether `from` waits, over any number of steps, for `to`.
fn reaches(from: TaskId, to: TaskId, edges: &BTreeMap<TaskId, BTreeSet<Dependency>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<TaskId> = vec![from];
    while let Some(at) = next.pop() {
        for edge in edges.get(&at).into_iter().flatten() {
            if edge.task == to {
                return true;
            }
            if seen.insert(edge.task) {
                next.push(edge.task);
            }
        }
    }
    false
}
