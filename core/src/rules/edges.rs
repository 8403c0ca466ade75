//! What the end of a task means to those that wait for it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{end, place, record_error};
use crate::draft::{Draft, Step, contradiction, wrong_record};
use crate::{
    Dependency, DependencyOn, Dependents, End, ErrorKind, IfUnsatisfied, Message, Record,
    RecordKey, Status, Task, TaskId, limits,
};

/// A dependency that cannot be satisfied any more.
#[derive(Clone, Copy)]
pub(crate) struct Unmet {
    /// In it `task` is the parent.
    pub edge: Dependency,
    /// How the parent ended; `None` when there is no such task.
    pub end: Option<End>,
}

/// Lets `child` wait for a parent in another partition, which is asked to tell of its end.
pub(crate) fn watch(draft: &mut Draft<'_>, child: &mut Task, parent: Dependency) {
    child.dependencies.pending += 1;
    let key = RecordKey::Waits(child.id, parent.task);
    draft.put(key, Record::Waits(parent));
    send_watch(draft, child, parent);
}

/// Asks a parent in another partition to tell of its end.
pub(crate) fn send_watch(draft: &mut Draft<'_>, child: &Task, parent: Dependency) {
    draft.message(Message::Watch {
        parent: parent.task,
        child: child.id,
        on: parent.on,
        life: child.redriven_by,
    });
}

/// Asks those in other partitions again whose ends `task` still waits for, or as many as fit,
/// others each time: a request or an answer may be lost with what a store forgot. They are among
/// its parents, and `others`.
pub(crate) fn ask_again(draft: &mut Draft<'_>, task: &mut Task, others: &[Dependency]) -> Step<()> {
    let here = draft.view.partition;
    let mut far = dependencies(draft, task)?;
    far.extend_from_slice(others);
    far.retain(|edge| edge.task.partition() != here);
    let far: BTreeSet<_> = far.into_iter().map(|edge| edge.task).collect();
    let ask = |far: TaskId| Message::Ask {
        parent: far,
        child: task.id,
        life: task.redriven_by,
    };
    let waits = |far: TaskId| RecordKey::Waits(task.id, far);
    let sent = |far: TaskId| RecordKey::Outbox(ask(far).id());
    draft.need(far.iter().flat_map(|id| [waits(*id), sent(*id)]))?;
    let mut open = Vec::new();
    for id in far {
        if draft.get(&waits(id))?.is_some() && draft.get(&sent(id))?.is_none() {
            open.push(ask(id));
        }
    }
    let fit = draft.room().saturating_sub(1).min(limits::BATCH_ITEMS);
    if open.len() > fit {
        let first = task.sends as usize * fit % open.len();
        open.rotate_left(first);
        open.truncate(fit);
    }
    for message in open {
        draft.message(message);
    }
    task.sends = task.sends.saturating_add(1);
    Ok(())
}

/// Tells one chunk of a task's dependents that it ended, or as many of them as still fit into the
/// transaction: each may change its own record and that of its workflow.
pub(crate) fn settle(draft: &mut Draft<'_>, parent: &mut Task) -> Step<()> {
    if parent.dependents.are_settled() {
        return Ok(());
    }
    let here = draft.view.partition;
    let (chunk, told) = Dependents::place(parent.dependents.settled);
    let mut edges = dependents(draft, parent, chunk)?;
    edges.drain(..told.min(edges.len()));
    let fit = draft.room().saturating_sub(1) / 2;
    let all = edges.len() <= fit;
    edges.truncate(fit);
    let local = edges.iter().filter(|edge| edge.task.partition() == here);
    draft.need(local.clone().map(|edge| RecordKey::Task(edge.task)))?;
    let children = edges
        .iter()
        .map(|edge| match edge.task.partition() == here {
            true => draft.find_task(edge.task),
            false => Ok(None),
        });
    let children = children.collect::<Step<Vec<_>>>()?;
    let light = fitting(draft, parent, &children);
    draft.need(
        children
            .into_iter()
            .flatten()
            .flat_map(|child| beside(child)),
    )?;
    let all = all && light == edges.len();
    edges.truncate(light);
    for edge in &edges {
        if edge.task.partition() == here {
            parent_ended(draft, edge.task, parent.id, edge.on, parent.end())?;
        } else {
            draft.message(Message::Settled {
                parent: parent.id,
                child: edge.task,
                end: parent.end(),
                life: None,
            });
        }
    }
    parent.dependents.settled = match all {
        true => parent.dependents.after(chunk),
        false => parent.dependents.settled + edges.len() as u32,
    };
    if crate::planted!(FirstChunkOnly) {
        parent.dependents.settled = parent.dependents.total;
    }
    Ok(())
}

/// How many of a parent's children can be written in one transaction with it.
fn fitting(draft: &Draft<'_>, parent: &Task, children: &[Option<&Arc<Task>>]) -> usize {
    let mut room = draft.room_bytes().saturating_sub(parent.weight());
    let fits = |child: &&Option<&Arc<Task>>| {
        // Beside it its workflow changes, or there is a message.
        let weight = child.map_or(0, |child| child.weight()) + Record::PLAIN;
        let fits = weight <= room;
        room = room.saturating_sub(weight);
        fits
    };
    children.iter().take_while(fits).count()
}

/// Asks at once for what a command that may end `task` reads beside it.
pub(crate) fn need_for_end(draft: &Draft<'_>, task: &Task) -> Step<()> {
    let known = &task.dependents;
    let untold = (!known.are_settled() && !known.are_inline()).then_some(RecordKey::Dependents(
        task.id,
        Dependents::place(known.settled).0,
    ));
    draft.need(beside(task).chain(untold))
}

/// The records beside a task that say what becomes of it.
pub(crate) fn beside(task: &Task) -> impl Iterator<Item = RecordKey> + use<> {
    let workflow = task.workflow.map(RecordKey::Workflow);
    workflow
        .into_iter()
        .chain([RecordKey::Queue(task.queue.clone())])
}

/// Whether `task` was accepted. While its workflow is being submitted it is not there for anybody
/// else, and nothing happens to it.
pub(crate) fn is_accepted(draft: &Draft<'_>, task: &Task) -> Step<bool> {
    match task.workflow {
        Some(id) if task.status == Status::Blocked => {
            Ok(draft.workflow(id)?.is_some_and(|known| known.is_accepted()))
        }
        _ => Ok(true),
    }
}

/// The task that others may know under an id.
pub(crate) fn accepted_task<'d>(draft: &'d Draft<'_>, id: TaskId) -> Step<Option<&'d Arc<Task>>> {
    match draft.find_task(id)? {
        Some(task) if is_accepted(draft, task)? => Ok(Some(task)),
        _ => Ok(None),
    }
}

/// All that a task waits for, or waited for.
pub(crate) fn dependencies(draft: &Draft<'_>, task: &Task) -> Step<Vec<Dependency>> {
    if task.dependencies.are_inline() {
        return Ok(task.dependencies.inline.to_vec());
    }
    let keys: Vec<_> = (0..task.dependencies.chunks())
        .map(|chunk| RecordKey::Dependencies(task.id, chunk))
        .collect();
    draft.need(keys.iter().cloned())?;
    let mut edges = Vec::with_capacity(task.dependencies.total as usize);
    for key in &keys {
        match draft.get(key)? {
            Some(Record::Dependencies(some)) => edges.extend_from_slice(some),
            Some(other) => wrong_record("dependencies", other),
            None => {}
        }
    }
    Ok(edges)
}

/// The edges in one chunk of a task's dependents.
pub(crate) fn dependents(draft: &Draft<'_>, parent: &Task, chunk: u32) -> Step<Vec<Dependency>> {
    if parent.dependents.are_inline() {
        return Ok(parent.dependents.inline.to_vec());
    }
    match draft.get(&RecordKey::Dependents(parent.id, chunk))? {
        Some(Record::Dependents(edges)) => Ok(edges.to_vec()),
        None => Ok(Vec::new()),
        Some(other) => wrong_record("dependents", other),
    }
}

/// Tells `child` that `parent` ended, on which it depends; `None`: that it does not exist.
pub(crate) fn parent_ended(
    draft: &mut Draft<'_>,
    child: TaskId,
    parent: TaskId,
    on: DependencyOn,
    end: Option<End>,
) -> Step<()> {
    let Some(child) = draft.find_task(child)? else {
        return Ok(());
    };
    let mut child = Task::clone(child);
    let Some(pending) = child.dependencies.pending.checked_sub(1) else {
        return contradiction(format!("a dependency of {} ended twice", child.id));
    };
    child.dependencies.pending = pending;
    if child.status == Status::Blocked {
        let any = crate::planted!(AnyEndSatisfies);
        if end.is_some_and(|end| on.is_satisfied_by(end) || any) {
            place(draft, &mut child)?;
        } else {
            let edge = Dependency { task: parent, on };
            unsatisfied(draft, &mut child, Unmet { edge, end })?;
        }
    }
    draft.put_task(child);
    Ok(())
}

/// Does with a blocked task what it asked for in case a dependency cannot be satisfied.
pub(crate) fn unsatisfied(draft: &mut Draft<'_>, child: &mut Task, unmet: Unmet) -> Step<()> {
    let (status, kind) = match child.if_unsatisfied {
        IfUnsatisfied::Run => return place(draft, child),
        IfUnsatisfied::Dead => (Status::Dead, ErrorKind::DependencyUnsatisfied),
        IfUnsatisfied::Cancel if unmet.is_moot() => (Status::Cancelled, ErrorKind::NotNeeded),
        IfUnsatisfied::Cancel => (Status::Cancelled, ErrorKind::DependencyUnsatisfied),
    };
    let now = draft.now_for(child);
    record_error(child, kind, unmet.why(), now);
    end(draft, child, status, Some(kind))
}

/// Keeps parents outside of its own submission that let `child` down at once for as long as it is
/// kept: when it is redriven it must not find them gone, and start.
pub(crate) fn keep_parents(
    draft: &mut Draft<'_>,
    child: &Task,
    outside: &[Dependency],
) -> Step<()> {
    if child.end().is_none() {
        return Ok(());
    }
    let here = draft.view.partition;
    for edge in outside.iter().filter(|edge| edge.task.partition() == here) {
        let Some(parent) = draft.find_task(edge.task)? else {
            continue;
        };
        let in_vain = parent
            .end()
            .is_some_and(|end| !edge.on.is_satisfied_by(end));
        if in_vain && parent.purge_at < child.purge_at {
            let mut parent = Task::clone(parent);
            parent.purge_at = child.purge_at;
            draft.put_task(parent);
        }
    }
    Ok(())
}

impl Unmet {
    /// Which of two says best what becomes of a task: where anything failed, it was let down.
    pub fn or(self, other: Option<Self>) -> Self {
        other.filter(|other| !other.is_moot()).unwrap_or(self)
    }

    /// Whether nothing failed, and so there is nothing to do.
    fn is_moot(&self) -> bool {
        self.end.is_some_and(|end| self.edge.on.is_moot_after(end))
    }

    /// Why the dependent cannot run, for people.
    fn why(&self) -> String {
        let parent = self.edge.task;
        match self.end {
            None => format!("it depends on task {parent}, which does not exist"),
            Some(End::NotNeeded) => format!("it depends on task {parent}, which was not needed"),
            Some(End::Succeeded) => format!("it runs only if task {parent} fails, which succeeded"),
            Some(end) => format!("it depends on task {parent}, which ended {end}"),
        }
    }
}
