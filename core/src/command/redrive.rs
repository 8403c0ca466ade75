use alloc::format;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::submit::{add_dependent, keep_dependents, take_back};
use crate::draft::{Draft, Step, contradiction};
use crate::rules::{beside, dependencies, dependents, now_reply, place, watch};
use crate::{
    Dependency, EventKind, IfUnsatisfied, Millis, Named, RecordKey, Rejection, Reply, Status, Task,
    TaskId, limits,
};

/// Gives a dead task a new life with all its retries. Its attempts go on counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redrive {
    /// The task.
    pub task: TaskId,
    /// The command's own identity, at random.
    pub id: u64,
}

/// Chunks that were told of the death are full from now on: whoever depends on the task next
/// stands in a chunk that has not been told.
fn fill_chunks(draft: &mut Draft<'_>, task: &mut Task) {
    let told = core::mem::take(&mut task.dependents.inline);
    keep_dependents(draft, task.id, &told);
    task.dependents.total = task.dependents.chunks() * limits::DEPENDENTS_PER_CHUNK as u32;
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
        if parent.status.is_terminal() {
            check_satisfied(task, &edge, parent.status)?;
        } else if wait_for(draft, &parent, task.id, edge)? {
            task.dependencies.pending += 1;
        }
    }
    for edge in far {
        let key = RecordKey::Waits(task.id, edge.task);
        if draft.get(&key)?.is_none() {
            watch(draft, task, edge);
        }
    }
    Ok(())
}

fn check_satisfied(task: &Task, edge: &Dependency, parent: Status) -> Result<(), Rejection> {
    if edge.on.is_satisfied_by(parent) || task.if_unsatisfied == IfUnsatisfied::Run {
        return Ok(());
    }
    Err(Rejection::WrongStatus {
        task: task.id,
        status: task.status,
        needs: format!(
            "it depends on {}, which is {parent}: redrive or submit that first",
            edge.task
        ),
    })
}

/// Lets a live parent tell `child` of its end; `false` when it is going to anyway.
fn wait_for(draft: &mut Draft<'_>, parent: &Task, child: TaskId, edge: Dependency) -> Step<bool> {
    let edge = Dependency {
        task: child,
        on: edge.on,
    };
    for chunk in parent.dependents.settled_chunks..parent.dependents.chunks() {
        if dependents(draft, parent, chunk)?.contains(&edge) {
            return Ok(false);
        }
    }
    add_dependent(draft, parent.id, edge)?;
    Ok(true)
}

impl Redrive {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let mut task = draft.task(self.task)?;
        if task.redriven_by == Some(self.id) {
            return Ok(now_reply(&task));
        }
        if task.status != Status::Dead {
            return Err(Rejection::WrongStatus {
                task: task.id,
                status: task.status,
                needs: "only a dead task can be redriven".into(),
            }
            .into());
        }
        let busy = if !task.dependents.are_settled() {
            Some("its dependents are still being told that it ended; try again")
        } else if task.dependents.cleared_chunks > 0 {
            Some("its retention is over and it is being purged; submit it anew")
        } else {
            None
        };
        if let Some(needs) = busy {
            return Err(Rejection::WrongStatus {
                task: task.id,
                status: task.status,
                needs: needs.into(),
            }
            .into());
        }
        self.revive(draft, &mut task)?;
        let reply = now_reply(&task);
        draft.put_task(task);
        Ok(reply)
    }

    fn revive(&self, draft: &mut Draft<'_>, task: &mut Task) -> Step<()> {
        let own_key = task.idempotency.as_deref();
        let keys = own_key.map(|known| RecordKey::Dedup(known.key.clone()));
        draft.need(beside(task).chain(keys))?;
        if let Some(known) = own_key {
            take_back(draft, known, Named::Task(task.id))?;
        }
        let now = draft.now_for(task);
        task.redriven_by = Some(self.id);
        task.retry_count = 0;
        task.completed_at = None;
        task.purge_at = None;
        if task.expires_at.is_some_and(|at| at <= now + Millis::new(1)) {
            task.expires_at = None;
        }
        task.scheduled_at = task.scheduled_at.filter(|at| *at > now);
        fill_chunks(draft, task);
        if let Some(id) = task.workflow {
            let Some(mut workflow) = draft.workflow(id)? else {
                return contradiction(format!("task {} outlives its workflow", task.id));
            };
            if let Some(known) = &workflow.idempotency {
                take_back(draft, known, Named::Workflow(id))?;
            }
            let Some(dead) = workflow.dead.checked_sub(1) else {
                return contradiction(format!("workflow {id} counts too few dead tasks"));
            };
            workflow.dead = dead;
            workflow.completed_at = None;
            draft.put_workflow(workflow);
        }
        if task.attempt == 0 {
            wait_again(draft, task)?;
        }
        draft.event(task, EventKind::Redriven, None);
        place(draft, task)
    }
}
