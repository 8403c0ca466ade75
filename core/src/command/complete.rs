use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::extend::report;
use super::submit::{NewTask, create, task_reads, under_which_id};
use super::validate;
use crate::draft::{Draft, Step};
use crate::rules::{check_held, end_lease, ended_as, finish, need_for_end, now_reply};
use crate::{LeaseEnd, LeaseId, Progress, RecordKey, Rejection, Reply, Status, TaskId, limits};

/// Finishes a task well, and submits its follow-up tasks in the same step. Sent again with the same
/// result it is answered as before; with another one it is refused, and the first result stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// The task.
    pub task: TaskId,
    /// The lease that is held.
    pub lease: LeaseId,
    /// What the handler returned.
    pub result: Option<Bytes>,
    /// What there is to say about progress; what is absent stays as it was.
    pub progress: Option<Progress>,
    /// Tasks to submit with it; they live in the same partition, and join the same workflow.
    pub follow_ups: Vec<NewTask>,
}

impl Complete {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        let mut keys = alloc::vec![RecordKey::Task(self.task)];
        keys.extend(self.follow_ups.iter().flat_map(task_reads));
        keys
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        validate::bytes("result", self.result.as_ref(), limits::PAYLOAD_BYTES)?;
        validate::progress(self.progress.as_ref())?;
        if self.follow_ups.len() > limits::FOLLOW_UPS {
            return Err(Rejection::LimitExceeded {
                what: alloc::format!("{} follow-up tasks", self.follow_ups.len()),
                limit: limits::FOLLOW_UPS as u64,
            }
            .into());
        }
        let known = draft.known_task(self.task)?;
        if known.status == Status::Succeeded && ended_as(&known, self.lease, LeaseEnd::Completed) {
            if known.result.as_deref() != self.result.as_ref() {
                return Err(Rejection::ResultConflict { task: self.task }.into());
            }
            let ids = self.follow_ups.iter().map(|t| under_which_id(draft, t));
            let ids = ids.collect::<Step<_>>()?;
            return Ok(self.reply(&known, ids));
        }
        check_held(&known, self.lease)?;
        need_for_end(draft, &known)?;
        let follow_ups = create(draft, &self.follow_ups, known.workflow, "follow_ups")?.ids;
        // Follow-ups that depend on the task have changed it.
        let mut task = draft.task(self.task)?;
        task.result = self.result.clone().map(Box::new);
        report(&mut task, self.progress.as_ref());
        end_lease(draft, &mut task, LeaseEnd::Completed)?;
        finish(draft, &mut task, Status::Succeeded, None)?;
        let reply = self.reply(&task, follow_ups);
        draft.put_task(task);
        Ok(reply)
    }

    fn reply(&self, task: &crate::Task, ids: Vec<TaskId>) -> Reply {
        let mut reply = now_reply(task);
        if let Reply::Now { follow_ups, .. } = &mut reply {
            *follow_ups = ids;
        }
        reply
    }
}
