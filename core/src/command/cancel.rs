use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Step};
use crate::rules::{finish, need_for_end, now_reply, record_error};
use crate::{ErrorKind, EventKind, Rejection, Reply, Status, TaskId, policy};

/// Stops a task: at once when nobody holds it, else by asking its holder, who learns of it
/// with the next heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The task.
    pub task: TaskId,
    /// Why, for people to read; kept as the task's last error.
    pub reason: Option<String>,
}

impl Cancel {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let mut task = draft.task(self.task)?;
        match task.status {
            Status::Cancelled => return Ok(now_reply(&task)),
            Status::Succeeded | Status::Dead => {
                return Err(Rejection::WrongStatus {
                    task: task.id,
                    status: task.status,
                    needs: "only a task that has not ended can be cancelled".into(),
                }
                .into());
            }
            Status::Running if task.cancel_requested => return Ok(now_reply(&task)),
            Status::Running => {
                task.cancel_requested = true;
                self.explain(draft, &mut task);
                draft.event(
                    &task,
                    EventKind::CancelRequested,
                    Some(ErrorKind::Cancelled),
                );
            }
            Status::Blocked | Status::Scheduled | Status::Queued => {
                need_for_end(draft, &task)?;
                self.explain(draft, &mut task);
                finish(
                    draft,
                    &mut task,
                    Status::Cancelled,
                    Some(ErrorKind::Cancelled),
                )?;
            }
        }
        let reply = now_reply(&task);
        draft.put_task(task);
        Ok(reply)
    }

    fn explain(&self, draft: &Draft<'_>, task: &mut crate::Task) {
        if let Some(reason) = &self.reason {
            let now = draft.now_for(task);
            record_error(task, ErrorKind::Cancelled, policy::cut_error(reason), now);
        }
    }
}
