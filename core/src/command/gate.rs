//! What a workflow's gate does when its timer fires: it lets the tasks behind it through, or
//! removes them when their submitter went away half-way. Some at a time, as the store allows.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::purge::remove_workflow;
use super::submit::{depend_on, parent_reads};
use crate::draft::{Draft, Step, wrong_record};
use crate::rules::{beside, dependencies, keep_parents, place, unsatisfied};
use crate::{
    Dependency, Gate, GateState, Record, RecordKey, Reply, Task, TaskId, WorkflowId, limits,
};

pub(super) fn fire(draft: &mut Draft<'_>, id: WorkflowId) -> Step<Reply> {
    let known = draft.workflow(id)?;
    let Some(mut gate) = known.and_then(|workflow| workflow.gate) else {
        return Ok(Reply::NotDue { next: None });
    };
    if gate.due_at > draft.now {
        let next = Some(gate.due_at);
        return Ok(Reply::NotDue { next });
    }
    if gate.state == GateState::Closed {
        gate.state = GateState::GivenUp;
        gate.records = core::mem::take(&mut gate.done);
    }
    go_on(draft, id, &mut gate)?;
    gate.due_at = draft.now;
    let over = gate.done >= gate.records;
    // What was let through may have changed the workflow.
    if let Some(mut workflow) = draft.workflow(id)? {
        workflow.gate = Some(gate).filter(|_| !over);
        if over && gate.state == GateState::GivenUp {
            remove_workflow(draft, &workflow)?;
        } else {
            draft.put_workflow(workflow);
        }
    }
    Ok(Reply::Fired {
        next: (!over).then_some(gate.due_at),
        relay: None,
    })
}

/// Goes through what one list names, as far as there is room; the list goes with its last record.
fn go_on(draft: &mut Draft<'_>, workflow: WorkflowId, gate: &mut Gate) -> Step<()> {
    let per_list = limits::GATED_PER_LIST as u32;
    let (list, from) = (gate.done / per_list, gate.done % per_list);
    let list = RecordKey::Gated(workflow, list);
    let left = (gate.records - gate.done).min(per_list - from) as usize;
    let keys = named(draft, &list)?;
    let keys = keys.get(from as usize..).unwrap_or_default();
    let keys = &keys[..left.min(keys.len())];
    need(draft, workflow, gate, keys)?;
    for (at, key) in keys.iter().enumerate() {
        let last = at + 1 == left;
        let outside = outside(draft, workflow, gate, key)?;
        let (changes, weight) = match (gate.state, key) {
            (GateState::GivenUp, _) => (1, 0),
            (_, RecordKey::Task(id)) => cost(draft, *id, &outside)?,
            _ => (0, 0),
        };
        let is_full = draft.room() < changes + usize::from(last) + gate.rest();
        if is_full || (at > 0 && draft.room_bytes() < weight) {
            return Ok(());
        }
        match (gate.state, key) {
            (GateState::GivenUp, key) => draft.remove(key.clone()),
            (_, RecordKey::Task(id)) => let_through(draft, *id, &outside)?,
            _ => {}
        }
        gate.done += 1;
    }
    draft.remove(list);
    Ok(())
}

/// How many records a task changes that is let through, and about how many bytes they take: its
/// own, what may stand beside it, and each parent outside with a list of its dependents.
fn cost(draft: &Draft<'_>, id: TaskId, outside: &[Dependency]) -> Step<(usize, usize)> {
    let here = draft.view.partition;
    let own = draft.find_task(id)?.map_or(0, |task| task.weight());
    let mut bytes = own + Record::PLAIN;
    for edge in outside {
        bytes += match edge.task.partition() == here {
            true => {
                draft.find_task(edge.task)?.map_or(0, |task| task.weight())
                    + Record::LONGEST_DEPENDENTS
            }
            false => Record::PLAIN,
        };
    }
    Ok((1 + 2 * outside.len(), bytes))
}

impl Gate {
    /// How many records of the workflow itself a step may change: its own, and its key.
    const fn rest(&self) -> usize {
        match self.state {
            GateState::GivenUp => 2,
            _ => 1,
        }
    }
}

/// The keys that a list names.
fn named(draft: &Draft<'_>, list: &RecordKey) -> Step<Arc<Vec<RecordKey>>> {
    match draft.get(list)? {
        Some(Record::Gated(keys)) => Ok(keys.clone()),
        None => Ok(Arc::default()),
        Some(other) => wrong_record("gated", other),
    }
}

/// Asks at once for what a step reads.
fn need(draft: &Draft<'_>, workflow: WorkflowId, gate: &Gate, keys: &[RecordKey]) -> Step<()> {
    let is_task = |key: &&RecordKey| matches!(key, RecordKey::Task(_));
    if gate.state == GateState::GivenUp {
        return draft.need(keys.iter().cloned());
    }
    let tasks = keys.iter().filter(is_task);
    draft.need(tasks.clone().cloned())?;
    let tasks = tasks.map(|key| draft.get(key));
    let tasks = tasks.collect::<Step<Vec<_>>>()?.into_iter();
    let tasks = tasks.filter_map(|record| match record {
        Some(Record::Task(task)) => Some(task),
        _ => None,
    });
    let lists = tasks.clone().filter(|_| gate.outside).flat_map(|task| {
        (0..task.dependencies.chunks()).map(|chunk| RecordKey::Dependencies(task.id, chunk))
    });
    draft.need(tasks.clone().flat_map(|task| beside(task)).chain(lists))?;
    if !gate.outside {
        return Ok(());
    }
    let edges = tasks.map(|task| dependencies(draft, task));
    let edges = edges.collect::<Step<Vec<_>>>()?.into_iter().flatten();
    let here = draft.view.partition;
    let near = edges.filter(|edge| edge.task.partition() == here);
    let near: Vec<_> = near.map(|edge| edge.task).collect();
    draft.need(near.iter().copied().map(RecordKey::Task))?;
    let reads = near
        .into_iter()
        .map(|parent| match draft.find_task(parent)? {
            Some(task) if task.workflow == Some(workflow) => Ok(Vec::new()),
            _ => parent_reads(draft, parent),
        });
    draft.need(reads.collect::<Step<Vec<_>>>()?.into_iter().flatten())
}

/// What the task under `key` depends on outside of its workflow. A parent inside is kept while the
/// task is live.
fn outside(
    draft: &Draft<'_>,
    workflow: WorkflowId,
    gate: &Gate,
    key: &RecordKey,
) -> Step<Vec<Dependency>> {
    let RecordKey::Task(id) = key else {
        return Ok(Vec::new());
    };
    if !gate.outside || gate.state == GateState::GivenUp {
        return Ok(Vec::new());
    }
    let Some(task) = draft.find_task(*id)? else {
        return Ok(Vec::new());
    };
    let mut outside = dependencies(draft, task)?;
    let here = draft.view.partition;
    let mut unknown = Ok(());
    outside.retain(|edge| {
        edge.task.partition() != here
            || match draft.find_task(edge.task) {
                Ok(parent) => parent.is_none_or(|parent| parent.workflow != Some(workflow)),
                Err(error) => {
                    unknown = Err(error);
                    false
                }
            }
    });
    unknown.map(|()| outside)
}

/// A task waits no longer for the gate, but for its parents: those inside of its workflow, which
/// it counts already, and those outside.
fn let_through(draft: &mut Draft<'_>, id: TaskId, outside: &[Dependency]) -> Step<()> {
    let Some(task) = draft.find_task(id)? else {
        return Ok(());
    };
    let mut task = Task::clone(task);
    // Another node may have done this since the workflow was loaded: then nothing of it is kept.
    task.dependencies.pending = task.dependencies.pending.saturating_sub(1);
    if !task.status.is_terminal() {
        let mut failed = None;
        for edge in outside {
            let found = depend_on(draft, &mut task, *edge, usize::MAX)?;
            if let Err(unmet) = found {
                failed = Some(unmet.or(failed));
            }
        }
        match failed {
            Some(unmet) => {
                unsatisfied(draft, &mut task, unmet)?;
                keep_parents(draft, &task, outside)?;
            }
            None => place(draft, &mut task)?,
        }
    }
    draft.put_task(task);
    Ok(())
}
