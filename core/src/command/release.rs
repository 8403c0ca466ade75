use serde::{Deserialize, Serialize};

use super::extend::report;
use super::validate;
use crate::draft::{Draft, Step};
use crate::rules::{check_held, end_lease, ended_as, finish, need_for_end, now_reply, place};
use crate::{ErrorKind, EventKind, LeaseEnd, LeaseId, Millis, Progress, Reply, Status, TaskId};

/// Gives a task back without using a retry: at once, or to be tried after a snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The task.
    pub task: TaskId,
    /// The lease that is held.
    pub lease: LeaseId,
    /// How long to snooze; `None`: it is ready at once.
    pub delay: Option<Millis>,
    /// What there is to say about progress; what is absent stays as it was.
    pub progress: Option<Progress>,
}

impl Release {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        validate::optional_duration("delay_ms", self.delay, true)?;
        validate::progress(self.progress.as_ref())?;
        let mut task = draft.task(self.task)?;
        if ended_as(&task, self.lease, LeaseEnd::Released) {
            return Ok(now_reply(&task));
        }
        check_held(&task, self.lease)?;
        need_for_end(draft, &task)?;
        report(&mut task, self.progress.as_ref());
        end_lease(draft, &mut task, LeaseEnd::Released)?;
        draft.event(&task, EventKind::Released, None);
        if task.cancel_requested {
            finish(
                draft,
                &mut task,
                Status::Cancelled,
                Some(ErrorKind::Cancelled),
            )?;
        } else {
            if let Some(delay) = self.delay {
                task.scheduled_at = Some(draft.now_for(&task) + delay);
            }
            place(draft, &mut task)?;
        }
        let reply = now_reply(&task);
        draft.put_task(task);
        Ok(reply)
    }
}
