use std::sync::Arc;

use russet_core::{End, Task};

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
pub(super) fn verdicts(tasks: &[Arc<Task>]) -> Vec<Verdict> {
    let verdict = |task: &Arc<Task>| match task.end() {
        Some(End::Succeeded) => Verdict::Succeeded,
        Some(End::Dead) => Verdict::Failed,
        Some(End::Cancelled) => Verdict::Cancelled,
        Some(End::NotNeeded) => Verdict::NotNeeded,
        None => Verdict::Live,
    };
    tasks.iter().map(verdict).collect()
}
