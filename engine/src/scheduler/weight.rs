use russet_core::Task;

use crate::limits;

/// About how many bytes a task adds to a reply.
pub(super) fn weight(task: &Task) -> usize {
    task.given_bytes() + task.dependencies.total as usize * limits::DEPENDENCY_BYTES
}
