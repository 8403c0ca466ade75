use std::sync::Arc;

use russet_core::{ErrorKind, Status, Task};

use crate::run::unmet::unmet;
use crate::workflow::{On, Workflow};

/// What to think of how a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was cancelled, because of a failure or by a user.
    Cancelled,
    /// It was there for a failure that did not happen.
    NotNeeded,
    /// It has not ended.
    Live,
}

/// The verdict on each task, in the order of the file.
pub(super) fn verdicts(workflow: &Workflow, tasks: &[Arc<Task>]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Live; tasks.len()];
    for position in workflow.order() {
        verdicts[position] = match tasks[position].status {
            Status::Succeeded => Verdict::Succeeded,
            Status::Dead => Verdict::Failed,
            Status::Cancelled if is_not_needed(workflow, tasks, &verdicts, position) => {
                Verdict::NotNeeded
            }
            Status::Cancelled => Verdict::Cancelled,
            _ => Verdict::Live,
        };
    }
    verdicts
}

/// How a task ended; `None` while it is live.
pub(super) fn ended(task: &Task) -> Option<Status> {
    Some(task.status).filter(|status| status.is_terminal())
}

/// A task is not needed when all of its dependencies that are not satisfied are on failures
/// that did not happen, or on tasks that are not needed themselves.
fn is_not_needed(
    workflow: &Workflow,
    tasks: &[Arc<Task>],
    verdicts: &[Verdict],
    position: usize,
) -> bool {
    let error = tasks[position].last_error.as_deref();
    if error.is_none_or(|error| error.kind != ErrorKind::DependencyUnsatisfied) {
        return false;
    }
    let mut unmet = unmet(workflow, position, |parent| ended(&tasks[parent])).peekable();
    unmet.peek().is_some()
        && unmet.all(|edge| match verdicts[edge.task] {
            Verdict::Succeeded => edge.on == On::Failure,
            Verdict::NotNeeded => true,
            _ => false,
        })
}

#[cfg(test)]
mod tests;
