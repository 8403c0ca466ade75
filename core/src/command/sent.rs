use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Step};
use crate::{Reply, Status, Task, TaskId};

/// A queue message was sent for a task: the watchdog may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The task.
    pub task: TaskId,
}

impl Sent {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        if let Some(task) = draft.find_task(self.task)?
            && task.status == Status::Queued
            && task.unsent
        {
            let mut task = Task::clone(task);
            task.unsent = false;
            task.sends = 0;
            draft.put_task(task);
        }
        Ok(Reply::Done)
    }
}
