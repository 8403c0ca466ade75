use bytes::Bytes;
use russet_core::Task;

use crate::limits;

/// About how many bytes a task adds to a reply.
pub(super) fn weight(task: &Task) -> usize {
    let bytes = |part: Option<&Bytes>| part.map_or(0, Bytes::len);
    let progress = task.progress.as_ref();
    let checkpoint = progress.and_then(|progress| progress.checkpoint.as_ref());
    task.payload.len()
        + task.metadata.len()
        + bytes(task.result.as_deref())
        + bytes(checkpoint)
        + task.dependencies.total as usize * limits::DEPENDENCY_BYTES
}
