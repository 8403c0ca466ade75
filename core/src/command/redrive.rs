use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::submit::{add_dependent, dependent_chunks, take_back};
use crate::draft::{Draft, Step, contradiction};
use crate::rules::{beside, dependencies, dependents, now_reply, place, send_watch, watch};
use crate::{
    Dependency, Dependents, End, ErrorKind, EventKind, IfUnsatisfied, Millis, Named, RecordKey,
    Rejection, Reply, Status, Task, TaskId, limits, planted,
};

/// Gives a task that is dead, or that was cancelled because of a dependency, a new life with all
/// its retries. Its attempts go on counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The task.
    pub task: TaskId,
    /// The command's own identity, at random.
    pub id: u64,
    /// The task is meant also when somebody cancelled it.
    pub cancelled: bool,
}

/// Chunks that were told of the death are full from now on: whoever depends on the task next
/// stands in a chunk that has not been told.
fn fill_chunks(draft: &mut Draft<'_>, task: &mut Task) {
    let told = core::mem::take(&mut task.dependents.inline);
    for (key, record) in dependent_chunks(task.id, &told) {
        draft.put(key, record);
    }
    task.dependents.total = task.dependents.chunks() * limits::DEPENDENTS_PER_CHUNK as u32;
    task.dependents.settled = task.dependents.total;
}

/// Lets a task that never started wait once more for its parents that are live again, or live
/// elsewhere. Refused while a parent has ended in a way that will not do.
fn wait_again(draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
    let here = draft.view.partition;
    let edges = dependencies(draft, task)?.into_iter();
    let (near, far): (Vec<_>, Vec<_>) = edges.partition(|edge| edge.task.partition() == here);
    let waits = |edge: &Dependency| RecordKey::Waits(task.id, edge.task);
    let parents = near.iter().map(|edge| RecordKey::Task(edge.task));
    draft.need(parents.chain(far.iter().map(waits)))?;
    for edge in near {
        let Some(parent) = draft.find_task(edge.task)?.cloned() else {
            continue;
        };
        if let Some(end) = parent.end() {
            check_satisfied(task, &edge, end)?;
        } else if wait_for(draft, &parent, task.id, edge)? {
            task.dependencies.pending += 1;
        }
    }
    for edge in far {
        let key = RecordKey::Waits(task.id, edge.task);
        match draft.get(&key)? {
            None => watch(draft, task, edge),
            // What it asked in its life before is not answered to this one.
            Some(_) => send_watch(draft, task, edge),
        }
    }
    Ok(())
}

fn check_satisfied(task: &Task, edge: &Dependency, parent: End) -> Result<(), Rejection> {
    if edge.on.is_satisfied_by(parent) || task.if_unsatisfied == IfUnsatisfied::Run {
        return Ok(());
    }
    let needs = match parent {
        End::Succeeded => format!("it runs only if {} fails, which succeeded", edge.task),
        parent => format!(
            "it depends on {}, which is {parent}: redrive or submit that first",
            edge.task
        ),
    };
    Err(wrong_status(task, needs))
}

/// Lets a live parent tell `child` of its end; `false` when it is going to anyway.
fn wait_for(draft: &mut Draft<'_>, parent: &Task, child: TaskId, edge: Dependency) -> Step<bool> {
    let edge = Dependency {
        task: child,
        on: edge.on,
    };
    let (untold, _) = Dependents::place(parent.dependents.settled);
    for chunk in untold..parent.dependents.chunks() {
        if dependents(draft, parent, chunk)?.contains(&edge) {
            return Ok(false);
        }
    }
    add_dependent(draft, parent.id, edge)?;
    Ok(true)
}

/// Refuses a task that is not to come back to life, or cannot now.
fn check(task: &Task, cancelled: bool) -> Result<(), Rejection> {
    let needs = match task.status {
        Status::Dead => None,
        Status::Cancelled if cancelled || was_let_down(task) || planted!(CancelledRises) => None,
        Status::Cancelled if task.end() == Some(End::NotNeeded) => {
            Some("it was there for a failure that did not happen")
        }
        Status::Cancelled => Some(
            "somebody cancelled it, so it stays cancelled unless cancelled tasks are asked for \
             (--cancelled, or `cancelled` in the request)",
        ),
        _ => Some("only a dead or cancelled task can be redriven"),
    };
    let busy = || {
        if !task.dependents.are_settled() {
            Some("its dependents are still being told that it ended; try again")
        } else if task.dependents.cleared > 0 {
            Some("its retention is over and it is being purged; submit it anew")
        } else {
            None
        }
    };
    match needs.or_else(busy) {
        Some(needs) => Err(wrong_status(task, needs.into())),
        None => Ok(()),
    }
}

/// Whether a dependency that could not be satisfied ended the task.
fn was_let_down(task: &Task) -> bool {
    let error = task.last_error.as_deref();
    error.is_some_and(|error| error.kind == ErrorKind::DependencyUnsatisfied)
}

fn wrong_status(task: &Task, needs: String) -> Rejection {
    Rejection::WrongStatus {
        task: task.id,
        status: task.status,
        needs,
    }
}

impl Redrive {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let task = self.revived(draft)?;
        Ok(now_reply(&task))
    }

    /// The task in its new life, which is refused when the draft becomes too large by it.
    pub(super) fn revived(&self, draft: &mut Draft<'_>) -> Step<Arc<Task>> {
        let task = draft.known_task(self.task)?;
        if task.redriven_by == Some(self.id) {
            return Ok(task);
        }
        check(&task, self.cancelled)?;
        let mut task = Task::clone(&task);
        self.revive(draft, &mut task)?;
        let task = draft.put_task(task);
        let fits = draft.check_size();
        fits.map_err(|_| Rejection::TooManyParents { task: task.id })?;
        Ok(task)
    }

    fn revive(&self, draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
        draft.need(own_reads(task))?;
        if let Some(known) = task.idempotency.as_deref() {
            take_back(draft, known, Named::Task(task.id))?;
        }
        let now = draft.now_for(task);
        back_in_workflow(draft, task)?;
        if was_let_down(task) || task.end() == Some(End::NotNeeded) {
            task.last_error = None;
        }
        task.redriven_by = Some(self.id);
        task.retry_count = 0;
        if planted!(TokenStartsAgain) {
            task.attempt = 0;
        }
        task.completed_at = None;
        task.purge_at = None;
        if task.expires_at.is_some_and(|at| at <= now + Millis::new(1)) {
            task.expires_at = None;
        }
        task.scheduled_at = task.scheduled_at.filter(|at| *at > now);
        fill_chunks(draft, task);
        if task.attempt == 0 && !planted!(RedrivenWaitsForNobody) {
            wait_again(draft, task)?;
        }
        draft.event(task, EventKind::Redriven, None);
        place(draft, task)
    }
}

/// What is read beside a task that comes back to life, as far as its own record says.
pub(super) fn own_reads(task: &Task) -> impl Iterator<Item = RecordKey> + use<> {
    let own_key = task.idempotency.as_deref();
    let own_key = own_key.map(|known| RecordKey::Dedup(known.key.clone()));
    let told = !task.dependents.inline.is_empty();
    let told = told.then_some(RecordKey::Dependents(task.id, 0));
    beside(task).chain(own_key).chain(told)
}

/// Counts an ended task among the live ones of its workflow again.
fn back_in_workflow(draft: &mut Draft<'_>, task: &Task) -> Step<()> {
    let (Some(id), Some(end)) = (task.workflow, task.end()) else {
        return Ok(());
    };
    let Some(mut workflow) = draft.workflow(id)? else {
        return contradiction(format!("task {} outlives its workflow", task.id));
    };
    if let Some(known) = &workflow.idempotency {
        take_back(draft, known, Named::Workflow(id))?;
    }
    if workflow.gate.is_some() {
        return Err(Rejection::WrongStatus {
            task: task.id,
            status: task.status,
            needs: "the tasks of its workflow are still being let through; try again".into(),
        }
        .into());
    }
    if workflow.uncount(end).is_none() {
        return contradiction(format!("workflow {id} counts too few ended tasks"));
    }
    workflow.completed_at = None;
    draft.put_workflow(workflow);
    Ok(())
}
