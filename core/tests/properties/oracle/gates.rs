//! Workflows that are larger than one transaction.

use std::collections::BTreeSet;

use russet_core::command::Stage;
use russet_core::{
    Dependency, Message, Millis, Named, NewTask, RecordKey, Reply, Status, TaskId, Timestamp,
    WorkflowId,
};

use super::life::is_moot;
use super::submit::submitted;
use super::{Answer, EDGE_BYTES, Expected, Flow, Job, Oracle, Peek, RECORD_BYTES};

const PATIENCE: Millis = Millis::from_secs(30);

/// A workflow that is not complete.
#[derive(Clone)]
pub struct Closed {
    pub flow: Flow,
    /// How many of its records are stored, and how many there are; unknown until the rules say.
    stored: Option<(u32, u32)>,
    given_up: bool,
    due: Timestamp,
}

impl Oracle {
    /// Whether tasks change more records than fit into a transaction: one each, one for each list
    /// of edges, two for each edge to the outside, and the workflow with its key; or
    /// more bytes.
    pub(super) fn is_large(&self, tasks: &[NewTask]) -> bool {
        let own: BTreeSet<_> = tasks.iter().map(|task| task.id).collect();
        let edges = || tasks.iter().flat_map(|task| &task.dependencies);
        let outside = edges().filter(|edge| !own.contains(&edge.task)).count();
        let parents: BTreeSet<_> = edges().map(|edge| edge.task).collect();
        let lists = parents.into_iter().map(|parent| {
            let count = edges().filter(|edge| edge.task == parent).count();
            if count > 8 { count.div_ceil(128) } else { 0 }
        });
        let changes = tasks.len() + lists.sum::<usize>() + 2 * outside + 2;
        let given = |task: &NewTask| task.payload.len() + task.metadata.len();
        let given: usize = tasks.iter().map(given).sum();
        let bytes = (tasks.len() + 2) * RECORD_BYTES + given + edges().count() * 2 * EDGE_BYTES;
        changes > self.transaction.changes || bytes > self.transaction.bytes
    }

    /// Everything is checked before anything is stored.
    pub(super) fn begin(&mut self, id: WorkflowId, flow: Flow) -> Expected {
        let mut trial = self.clone();
        trial.flows.insert(id, flow.clone());
        trial.create(&flow.asked, Some(id))?;
        let closed = Closed {
            flow,
            stored: None,
            given_up: false,
            due: self.now + PATIENCE + self.skew,
        };
        self.closed.insert(id, closed);
        Ok(Answer::Staged(id))
    }

    pub(super) fn go_on(&mut self, id: WorkflowId) -> Expected {
        let closed = &self.closed[&id];
        match closed.stored {
            _ if closed.given_up => Err("incomplete"),
            Some((stored, all)) if stored == all => Ok(self.accept(id)),
            _ => Ok(Answer::Staged(id)),
        }
    }

    /// What the rules say is missing must be what was not stored.
    pub fn learn(&mut self, id: WorkflowId, missing: &[Stage]) {
        let first = missing.first().map_or(0, |piece| piece.first);
        let all = missing.last().map_or(first, |piece| piece.then);
        let closed = self.closed.get_mut(&id).expect("a workflow");
        let known = closed.stored.get_or_insert((first, all));
        assert_eq!(*known, (first, all), "what is missing (right) of {id}");
        let follow = missing.windows(2).all(|two| two[0].then == two[1].first);
        assert!(follow, "the pieces of {id} do not follow each other");
    }

    pub(super) fn stage(&mut self, stage: &Stage) -> Expected {
        let done = Ok(Answer::Exactly(Reply::Done));
        let now = self.now;
        let due = now + PATIENCE + self.skew;
        let Some(closed) = self.closed.get_mut(&stage.workflow) else {
            let known = self.flows.get(&stage.workflow);
            let same = known.is_some_and(|flow| flow.created == stage.created_at);
            return if same { done } else { Err("incomplete") };
        };
        match &mut closed.stored {
            _ if closed.given_up || closed.flow.created != stage.created_at => Err("incomplete"),
            Some((stored, _)) if *stored >= stage.then => done,
            Some((stored, _)) if *stored == stage.first => {
                *stored = stage.then;
                closed.due = due;
                done
            }
            _ => Err("incomplete"),
        }
    }

    /// Now all of it is there, and each task waits for the gate and for its parents inside.
    fn accept(&mut self, id: WorkflowId) -> Answer {
        let flow = self.closed.remove(&id).expect("a workflow").flow;
        let now = std::mem::replace(&mut self.now, flow.created);
        let own: BTreeSet<_> = flow.asked.iter().map(|task| task.id).collect();
        for task in &flow.asked {
            let edges: BTreeSet<_> = task.dependencies.iter().copied().collect();
            let mut job = self.newborn(task, Some(id));
            job.asked.dependencies = edges.iter().copied().collect();
            job.awaits = edges
                .into_iter()
                .filter(|e| own.contains(&e.task))
                .collect();
            (job.gated, job.untouched) = (true, true);
            self.jobs.insert(task.id, job);
        }
        for task in &flow.asked {
            for edge in task.dependencies.iter().filter(|e| own.contains(&e.task)) {
                let parent = self.jobs.get_mut(&edge.task).expect("a parent");
                if parent.children.is_empty() {
                    parent.children.push(BTreeSet::new());
                }
                let (child, on) = (task.id, edge.on);
                parent.children[0].insert(Dependency { task: child, on });
            }
        }
        self.now = now;
        let ids = flow.asked.iter().map(|task| task.id).collect();
        self.flows.insert(id, flow);
        submitted(ids, Some(id), false)
    }

    /// Whether some tasks of a workflow are still to be let through.
    pub(super) fn is_passing(&self, id: WorkflowId) -> bool {
        self.members(id).any(|job| job.gated)
    }

    /// How many tasks pass at once is the rules' choice; which they are says what they write.
    pub(super) fn fire_gate(&mut self, id: WorkflowId, peek: Peek<'_>) -> Answer {
        if let Some(closed) = self.closed.get_mut(&id) {
            if closed.due > self.now {
                let next = Some(closed.due);
                return Answer::Exactly(Reply::NotDue { next });
            }
            (closed.given_up, closed.due) = (true, self.now);
            if peek.stored.workflow(id).is_none() {
                self.closed.remove(&id);
                self.names
                    .retain(|_, name| name.named != Named::Workflow(id));
            }
            return Answer::WentOn;
        }
        let gate = match peek.view.records.get(&RecordKey::Workflow(id)) {
            Some(Some(russet_core::Record::Workflow(flow))) => flow.gate,
            _ => None,
        };
        let Some(gate) = gate.filter(|_| self.is_passing(id)) else {
            return Answer::Exactly(Reply::NotDue { next: None });
        };
        if gate.due_at > self.now {
            let next = Some(gate.due_at);
            return Answer::Exactly(Reply::NotDue { next });
        }
        let writes = peek.decision.iter().flat_map(|decision| &decision.writes);
        let written: Vec<_> = writes
            .filter_map(|write| match write.key {
                RecordKey::Task(id) => Some(id),
                _ => None,
            })
            .collect();
        for task in written {
            if self.jobs[&task].workflow == Some(id) && self.jobs[&task].gated {
                self.pass(task);
            }
        }
        Answer::WentOn
    }

    /// A task no longer waits for the gate, but for its parents outside.
    fn pass(&mut self, id: TaskId) {
        let mut job: Job = self.jobs[&id].clone();
        let workflow = job.workflow;
        job.gated = false;
        if job.status.is_terminal() {
            return self.put(job);
        }
        let mut hopeless = None;
        for edge in job.asked.dependencies.clone() {
            let (parent, child, on) = (edge.task, id, edge.on);
            if parent.partition() != id.partition() {
                let life = job.redriven_by;
                self.post(Message::Watch {
                    parent,
                    child,
                    on,
                    life,
                });
                job.awaits.insert(edge);
                continue;
            }
            let known = self.job(parent).cloned();
            match known {
                Some(known) if known.workflow == workflow => {}
                Some(known) if known.status.is_terminal() => {
                    let end = known.end();
                    if end.is_some_and(|end| !on.is_satisfied_by(end)) {
                        hopeless = Some(is_moot(on, end) && hopeless.unwrap_or(true));
                    }
                }
                Some(known) => {
                    self.watch(known, Dependency { task: child, on });
                    job.awaits.insert(edge);
                }
                None => hopeless = Some(false),
            }
        }
        if let Some(moot) = hopeless {
            let edges = job.asked.dependencies.clone();
            self.disappoint(job, moot);
            let outside = edges.iter().filter(|edge| {
                let known = self.jobs.get(&edge.task);
                known.is_none_or(|known| known.workflow != workflow)
            });
            let outside: Vec<_> = outside.copied().collect();
            return self.keep_parents(id, outside.iter());
        }
        self.place(&mut job);
        debug_assert!(job.status != Status::Running);
        self.put(job);
    }
}
