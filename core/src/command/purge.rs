use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Step};
use crate::rules::{ask_again, dependents, now_reply, watch};
use crate::{
    Dependency, DependencyOn, Dependents, EventKind, Millis, Named, Record, RecordKey, Rejection,
    Reply, Task, TaskId, Workflow,
};

/// How long a task whose retention is over is kept on while a task at the other end of one of
/// its edges is live.
const KEPT_FOR_OTHERS: Millis = Millis::from_secs(3_600);

/// How long a task that asked others waits before it looks for their answers.
const ANSWERED_WITHIN: Millis = Millis::from_secs(10);

/// Forgets an ended task before its retention is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The task.
    pub task: TaskId,
}

impl Purge {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let mut task = draft.task(self.task)?;
        if !task.status.is_terminal() {
            return Err(Rejection::WrongStatus {
                task: task.id,
                status: task.status,
                needs: "only a task that has ended can be purged; cancel it first".into(),
            }
            .into());
        }
        let reply = now_reply(&task);
        if task.dependents.total == 0 && task.dependencies.pending == 0 {
            remove(draft, &task)?;
        } else {
            task.purge_at = Some(draft.now_for(&task));
            draft.put_task(task);
        }
        Ok(reply)
    }
}

/// Goes one step towards forgetting a task whose retention is over: first its dependents,
/// chunk by chunk or as many as fit into a transaction, while none of them is live, then the task. Dependents in other partitions
/// are asked, as a parent is asked by a child: the task waits for their ends, and asks again while it does.
///
/// A task that a parent is still going to tell of its end stays too: a task submitted anew
/// under the same id must not be told of what only the old one waited for.
pub(super) fn purge(draft: &mut Draft<'_>, mut task: Task) -> Step<()> {
    if task.dependencies.pending > 0 {
        let asked = match task.dependents.last_cleared() {
            Some(chunk) => dependents(draft, &task, chunk)?,
            None => Vec::new(),
        };
        ask_again(draft, &mut task, &asked)?;
        keep(draft, task);
        return Ok(());
    }
    forget_answered(draft, &task)?;
    if task.dependents.are_cleared() {
        return remove(draft, &task);
    }
    let (chunk, cleared) = Dependents::place(task.dependents.cleared);
    let here = draft.view.partition;
    let mut edges = dependents(draft, &task, chunk)?;
    edges.drain(..cleared.min(edges.len()));
    // Who lives elsewhere is asked by a message, and by a record that waits for the answer.
    let mut asks = draft.room().saturating_sub(2) / 2;
    let fits = |edge: &&Dependency| {
        let is_far = edge.task.partition() != here;
        let fits = !is_far || asks > 0;
        asks = asks.saturating_sub(usize::from(is_far));
        fits
    };
    let fitting = edges.iter().take_while(fits).count();
    let all = edges.len() == fitting;
    edges.truncate(fitting);
    let children: BTreeSet<_> = edges.iter().map(|edge| edge.task).collect();
    let (local, far): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|id| id.partition() == here);
    draft.need(local.iter().copied().map(RecordKey::Task))?;
    let mut live = false;
    for child in local {
        live |= draft
            .find_task(child)?
            .is_some_and(|t| !t.status.is_terminal());
    }
    if live && !crate::planted!(ParentPurged) {
        keep(draft, task);
        return Ok(());
    }
    // A list stays while some of those in it may be asked again.
    if all && far.is_empty() && !task.dependents.are_inline() {
        draft.remove(RecordKey::Dependents(task.id, chunk));
    }
    task.dependents.cleared = match all {
        true => task.dependents.after(chunk),
        false => task.dependents.cleared + edges.len() as u32,
    };
    if !far.is_empty() {
        wait_for(draft, &mut task, &far);
    }
    draft.put_task(task);
    Ok(())
}

/// Forgets the list whose tasks were asked last: they have answered.
fn forget_answered(draft: &mut Draft<'_>, task: &Task) -> Step<()> {
    let (next, _) = Dependents::place(task.dependents.cleared);
    let whole = |chunk: &u32| *chunk < next || task.dependents.are_cleared();
    let Some(chunk) = task.dependents.last_cleared().filter(whole) else {
        return Ok(());
    };
    let key = RecordKey::Dependents(task.id, chunk);
    if !task.dependents.are_inline() && draft.get(&key)?.is_some() {
        draft.remove(key);
    }
    Ok(())
}

/// Lets an ended task stay until `children`, which live in other partitions, have ended.
fn wait_for(draft: &mut Draft<'_>, task: &mut Task, children: &[TaskId]) {
    let on = DependencyOn::Completion;
    for child in children {
        watch(draft, task, Dependency { task: *child, on });
    }
    task.purge_at = Some(draft.now_for(task) + ANSWERED_WITHIN);
}

fn keep(draft: &mut Draft<'_>, mut task: Task) {
    task.purge_at = Some(draft.now_for(&task) + KEPT_FOR_OTHERS);
    draft.put_task(task);
}

fn remove(draft: &mut Draft<'_>, task: &Task) -> Step<()> {
    for chunk in 0..task.dependencies.chunks() {
        draft.remove(RecordKey::Dependencies(task.id, chunk));
    }
    if let Some(idempotency) = &task.idempotency {
        forget_key(draft, &idempotency.key, Named::Task(task.id))?;
    }
    if let Some(id) = task.workflow
        && let Some(mut workflow) = draft.workflow(id)?
    {
        workflow.purged += 1;
        if workflow.purged == workflow.tasks {
            remove_workflow(draft, &workflow)?;
        } else {
            draft.put_workflow(workflow);
        }
    }
    draft.event(task, EventKind::Purged, None);
    draft.remove(RecordKey::Task(task.id));
    Ok(())
}

pub(super) fn remove_workflow(draft: &mut Draft<'_>, workflow: &Workflow) -> Step<()> {
    if let Some(idempotency) = &workflow.idempotency {
        forget_key(draft, &idempotency.key, Named::Workflow(workflow.id))?;
    }
    draft.remove(RecordKey::Workflow(workflow.id));
    Ok(())
}

fn forget_key(draft: &mut Draft<'_>, key: &crate::IdempotencyKey, of: Named) -> Step<()> {
    let key = RecordKey::Dedup(key.clone());
    if let Some(Record::Dedup(known)) = draft.get(&key)?
        && known.named == of
    {
        draft.remove(key);
    }
    Ok(())
}
