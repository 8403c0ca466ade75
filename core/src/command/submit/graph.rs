//! Tasks that depend on one another, and on earlier ones.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::super::validate;
use super::NewTask;
use super::create::{admit, build};
use crate::draft::{Draft, Step};
use crate::rules::{Unmet, accepted_task, keep_parents, watch};
use crate::{
    Dependency, Millis, Record, RecordKey, Rejection, Status, Task, TaskId, WorkflowId, limits,
    policy,
};

/// The new tasks and the edges among them.
pub(super) struct Graph {
    /// Dependencies of each task, with ids of earlier submissions put in.
    pub(super) edges: Vec<Vec<Dependency>>,
    pub(super) positions: BTreeMap<TaskId, usize>,
    pub(super) ordered: Vec<usize>,
    pub(super) ranks: Vec<u16>,
}

impl Graph {
    pub(super) fn of(
        fresh: &[&NewTask],
        asked: &[NewTask],
        ids: &[TaskId],
    ) -> Result<Self, Rejection> {
        let mut positions = BTreeMap::new();
        for (at, task) in fresh.iter().enumerate() {
            if positions.insert(task.id, at).is_some() {
                let problem = format!("{} is the id of two tasks", task.id);
                return Err(Rejection::invalid(
                    "id",
                    problem,
                    "every task has its own id",
                ));
            }
        }
        let known: BTreeMap<_, _> = asked
            .iter()
            .map(|t| t.id)
            .zip(ids.iter().copied())
            .collect();
        let resolve = |edge: &Dependency| Dependency {
            task: known.get(&edge.task).copied().unwrap_or(edge.task),
            on: edge.on,
        };
        let resolved = |task: &&NewTask| {
            let mut seen = BTreeSet::new();
            let edges = task.dependencies.iter().map(resolve);
            edges.filter(|edge| seen.insert(*edge)).collect()
        };
        let edges: Vec<Vec<_>> = fresh.iter().map(resolved).collect();
        let parents: Vec<Vec<usize>> = edges
            .iter()
            .map(|edges| {
                edges
                    .iter()
                    .filter_map(|e| positions.get(&e.task).copied())
                    .collect()
            })
            .collect();
        let ordered = policy::order(&parents).map_err(|cycle| Rejection::Cycle {
            path: cycle.into_iter().map(|at| fresh[at].called()).collect(),
        })?;
        let costs: Vec<_> = fresh
            .iter()
            .map(|t| t.expected.map(Millis::as_millis))
            .collect();
        let ranks = policy::ranks(&parents, &ordered, &costs);
        Ok(Self {
            edges,
            positions,
            ordered,
            ranks,
        })
    }

    pub(super) fn create(
        self,
        draft: &mut Draft<'_>,
        fresh: &[&NewTask],
        workflow: Option<WorkflowId>,
    ) -> Step<()> {
        let here = draft.view.partition;
        let outside = self.edges.iter().flatten().map(|edge| edge.task);
        let outside: BTreeSet<_> = outside
            .filter(|id| id.partition() == here && !self.positions.contains_key(id))
            .collect();
        draft.need(outside.iter().copied().map(RecordKey::Task))?;
        let reads = outside.into_iter().map(|id| parent_reads(draft, id));
        draft.need(reads.collect::<Step<Vec<_>>>()?.into_iter().flatten())?;
        let ids: Vec<_> = fresh.iter().map(|task| task.id).collect();
        let children = self.children(&ids);
        for at in &self.ordered {
            let new = fresh[*at];
            let rank = workflow.is_some().then(|| self.ranks[*at]);
            let mut task = build(draft.now, new, workflow, rank);
            let failed = self.depend(draft, new, &mut task, &self.edges[*at])?;
            let task = admit(draft, task, &children[*at], failed)?;
            if failed.is_some() {
                let mut outside = self.edges[*at].clone();
                outside.retain(|edge| !self.positions.contains_key(&edge.task));
                keep_parents(draft, &task, &outside)?;
            }
        }
        Ok(())
    }

    /// Who waits for each of the tasks, which have these ids.
    pub(super) fn children(&self, ids: &[TaskId]) -> Vec<Vec<Dependency>> {
        let mut children = vec![Vec::new(); ids.len()];
        for (at, edges) in self.edges.iter().enumerate() {
            for edge in edges {
                if let Some(parent) = self.positions.get(&edge.task) {
                    children[*parent].push(Dependency {
                        task: ids[at],
                        on: edge.on,
                    });
                }
            }
        }
        children
    }

    /// Makes `task` wait for its parents; returns one whose end cannot satisfy it.
    fn depend(
        &self,
        draft: &mut Draft<'_>,
        new: &NewTask,
        task: &mut Task,
        edges: &[Dependency],
    ) -> Step<Option<Unmet>> {
        let mut failed = None;
        for edge in edges {
            if self.positions.contains_key(&edge.task) {
                task.dependencies.pending += 1;
                continue;
            }
            if edge.task.partition() != task.id.partition() {
                validate::parent(edge.task, draft.view.partitions)?;
            }
            match depend_on(draft, task, *edge, limits::TASK_DEPENDENTS)? {
                Ok(()) => {}
                Err(unmet) if unmet.end.is_some() => failed = Some(unmet.or(failed)),
                Err(_) => {
                    return Err(Rejection::DependencyNotFound {
                        task: new.called(),
                        dependency: edge.task,
                    }
                    .into());
                }
            }
        }
        for (key, record) in dependency_lists(task, edges) {
            draft.put(key, record);
        }
        Ok(failed)
    }
}

/// Makes `task` wait for one that was submitted before, unless that has ended as it should. A
/// dependency that cannot be satisfied is returned. At most `most` tasks may wait for it.
pub(in crate::command) fn depend_on(
    draft: &mut Draft<'_>,
    task: &mut Task,
    edge: Dependency,
    most: usize,
) -> Step<Result<(), Unmet>> {
    let parent = edge.task;
    if parent.partition() != task.id.partition() {
        watch(draft, task, edge);
        return Ok(Ok(()));
    }
    let known = accepted_task(draft, parent)?;
    match known.map(|known| known.end()) {
        Some(None) => {
            task.dependencies.pending += 1;
            let child = Dependency {
                task: task.id,
                on: edge.on,
            };
            add_dependent_of(draft, parent, child, most)?;
            Ok(Ok(()))
        }
        Some(Some(end)) if edge.on.is_satisfied_by(end) => Ok(Ok(())),
        end => Ok(Err(Unmet {
            edge,
            end: end.flatten(),
        })),
    }
}

/// The records of the lists of edges among `tasks` that are too long for a task's own record.
pub(super) fn list_reads(tasks: &[NewTask]) -> Vec<RecordKey> {
    let mut keys = Vec::new();
    let mut children: BTreeMap<TaskId, usize> = BTreeMap::new();
    for task in tasks {
        if task.dependencies.len() > limits::INLINE_DEPENDENCIES {
            let chunks = task.dependencies.len().div_ceil(limits::BATCH_ITEMS) as u32;
            keys.extend((0..chunks).map(|chunk| RecordKey::Dependencies(task.id, chunk)));
        }
        for edge in &task.dependencies {
            *children.entry(edge.task).or_default() += 1;
        }
    }
    for (parent, count) in children {
        if count > limits::INLINE_DEPENDENTS {
            let chunks = count.div_ceil(limits::DEPENDENTS_PER_CHUNK) as u32;
            keys.extend((0..chunks).map(|chunk| RecordKey::Dependents(parent, chunk)));
        }
    }
    keys
}

/// Keeps what a new task depends on; what its own record does not hold is returned.
pub(super) fn dependency_lists(task: &mut Task, edges: &[Dependency]) -> Vec<(RecordKey, Record)> {
    task.dependencies.total = edges.len() as u32;
    if task.dependencies.are_inline() {
        task.dependencies.inline = edges.to_vec().into();
        return Vec::new();
    }
    let chunks = edges.chunks(limits::BATCH_ITEMS).enumerate();
    let record = |(chunk, edges): (usize, &[Dependency])| {
        let key = RecordKey::Dependencies(task.id, chunk as u32);
        (key, Record::Dependencies(Arc::new(edges.to_vec())))
    };
    chunks.map(record).collect()
}

/// What is read of a task beside its record to depend on it: the record that the next dependent
/// of a live task is written to, when that is not its own, and the workflow of one that may
/// still be behind a gate.
pub(in crate::command) fn parent_reads(draft: &Draft<'_>, parent: TaskId) -> Step<Vec<RecordKey>> {
    let Some(task) = draft.find_task(parent)? else {
        return Ok(Vec::new());
    };
    let in_list = !task.status.is_terminal() && !task.dependents.has_room_inline();
    let end = in_list.then(|| RecordKey::Dependents(parent, task.dependents.end()));
    let workflow = task.workflow.filter(|_| task.status == Status::Blocked);
    let gate = workflow.map(RecordKey::Workflow);
    Ok(end.into_iter().chain(gate).collect())
}

/// Lets `edge.task` be told when the live task `parent` ends. An edge that was just added is
/// not added again; an older one may be, which does no harm: a child is told once.
pub(in crate::command) fn add_dependent(
    draft: &mut Draft<'_>,
    parent: TaskId,
    edge: Dependency,
) -> Step<()> {
    add_dependent_of(draft, parent, edge, limits::TASK_DEPENDENTS)
}

fn add_dependent_of(
    draft: &mut Draft<'_>,
    parent: TaskId,
    edge: Dependency,
    most: usize,
) -> Step<()> {
    let Some(task) = draft.find_task(parent)? else {
        return Err(Rejection::NotFound { task: parent }.into());
    };
    let mut task = Task::clone(task);
    let chunk = task.dependents.end();
    let mut edges = crate::rules::dependents(draft, &task, chunk)?;
    if edges.contains(&edge) {
        return Ok(());
    }
    if task.dependents.total as usize >= most {
        return Err(Rejection::LimitExceeded {
            what: format!("the tasks that depend on {parent}"),
            limit: most as u64,
        }
        .into());
    }
    edges.push(edge);
    task.dependents.total += 1;
    if task.dependents.are_inline() {
        task.dependents.inline = edges.into();
    } else {
        task.dependents.inline = Box::default();
        let key = RecordKey::Dependents(parent, chunk);
        draft.put(key, Record::Dependents(Arc::new(edges)));
    }
    draft.put_task(task);
    Ok(())
}
