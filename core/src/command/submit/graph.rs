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
use crate::rules::watch;
use crate::{
    Dependency, Millis, Record, RecordKey, Rejection, Status, Task, TaskId, WorkflowId, limits,
    policy,
};

/// The new tasks and the edges among them.
pub(super) struct Graph {
    /// Dependencies of each task, with ids of earlier submissions put in.
    edges: Vec<Vec<Dependency>>,
    positions: BTreeMap<TaskId, usize>,
    ordered: Vec<usize>,
    ranks: Vec<u16>,
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
        let lists = outside.into_iter().map(|id| dependents_end(draft, id));
        draft.need(lists.collect::<Step<Vec<_>>>()?.into_iter().flatten())?;
        let mut children = vec![Vec::new(); fresh.len()];
        for (at, edges) in self.edges.iter().enumerate() {
            for edge in edges {
                if let Some(parent) = self.positions.get(&edge.task) {
                    children[*parent].push(Dependency {
                        task: fresh[at].id,
                        on: edge.on,
                    });
                }
            }
        }
        for at in &self.ordered {
            let new = fresh[*at];
            let rank = workflow.is_some().then(|| self.ranks[*at]);
            let mut task = build(draft, new, workflow, rank);
            let failed = self.depend(draft, new, &mut task, &self.edges[*at])?;
            admit(draft, task, &children[*at], failed)?;
        }
        Ok(())
    }

    /// Makes `task` wait for its parents; returns one whose end cannot satisfy it.
    fn depend(
        &self,
        draft: &mut Draft<'_>,
        new: &NewTask,
        task: &mut Task,
        edges: &[Dependency],
    ) -> Step<Option<(TaskId, Status)>> {
        let mut failed = None;
        for edge in edges {
            let parent = edge.task;
            let child = Dependency {
                task: task.id,
                on: edge.on,
            };
            if self.positions.contains_key(&parent) {
                task.dependencies.pending += 1;
            } else if parent.partition() != task.id.partition() {
                validate::parent(parent, draft.view.partitions)?;
                watch(draft, task, *edge);
            } else {
                match draft.find_task(parent)?.map(|known| known.status) {
                    None => {
                        let task = new.called();
                        return Err(Rejection::DependencyNotFound {
                            task,
                            dependency: parent,
                        }
                        .into());
                    }
                    Some(status) if !status.is_terminal() => {
                        task.dependencies.pending += 1;
                        add_dependent(draft, parent, child)?;
                    }
                    Some(status) if edge.on.is_satisfied_by(status) => {}
                    Some(status) => failed = Some((parent, status)),
                }
            }
        }
        keep_dependencies(draft, task, edges);
        Ok(failed)
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

fn keep_dependencies(draft: &mut Draft<'_>, task: &mut Task, edges: &[Dependency]) {
    task.dependencies.total = edges.len() as u32;
    if task.dependencies.are_inline() {
        task.dependencies.inline = edges.to_vec().into();
        return;
    }
    for (chunk, edges) in edges.chunks(limits::BATCH_ITEMS).enumerate() {
        let key = RecordKey::Dependencies(task.id, chunk as u32);
        draft.put(key, Record::Dependencies(Arc::new(edges.to_vec())));
    }
}

/// The record that the next dependent of a live task is written to, when that is not the task's
/// own.
fn dependents_end(draft: &Draft<'_>, parent: TaskId) -> Step<Option<RecordKey>> {
    let live = draft.find_task(parent)?.filter(|t| !t.status.is_terminal());
    let lists = live
        .map(|t| &t.dependents)
        .filter(|lists| !lists.has_room_inline());
    Ok(lists.map(|lists| RecordKey::Dependents(parent, lists.end())))
}

/// Lets `edge.task` be told when the live task `parent` ends. An edge that was just added is
/// not added again; an older one may be, which does no harm: a child is told once.
pub(in crate::command) fn add_dependent(
    draft: &mut Draft<'_>,
    parent: TaskId,
    edge: Dependency,
) -> Step<()> {
    let mut task = draft.task(parent)?;
    let chunk = task.dependents.end();
    let mut edges = crate::rules::dependents(draft, &task, chunk)?;
    if edges.contains(&edge) {
        return Ok(());
    }
    if task.dependents.total as usize >= limits::TASK_DEPENDENTS {
        return Err(Rejection::LimitExceeded {
            what: format!("the tasks that depend on {parent}"),
            limit: limits::TASK_DEPENDENTS as u64,
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
