use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::extend::report;
use super::validate;
use crate::draft::{Draft, Step};
use crate::rules::{self, Failure, check_held, end_lease, ended_as, need_for_end, now_reply};
use crate::{ErrorKind, LeaseEnd, LeaseId, Millis, Progress, Reply, Task, TaskId, policy};

/// Reports that an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fail {
    /// The task.
    pub task: TaskId,
    /// The lease that is held.
    pub lease: LeaseId,
    /// [`ErrorKind::Final`] says that trying again is of no use.
    pub kind: ErrorKind,
    /// What went wrong; cut at [`ERROR_BYTES`](crate::limits::ERROR_BYTES).
    pub message: String,
    /// The worker's own wish for the backoff.
    pub retry_after: Option<Millis>,
    /// What there is to say about progress; what is absent stays as it was.
    pub progress: Option<Progress>,
    /// Random bits for the backoff's jitter.
    pub random: u64,
}

impl Fail {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        validate::failure_kind(self.kind)?;
        validate::optional_duration("retry_after_ms", self.retry_after, true)?;
        validate::progress(self.progress.as_ref())?;
        let known = draft.known_task(self.task)?;
        if ended_as(&known, self.lease, LeaseEnd::Failed) {
            return Ok(now_reply(&known));
        }
        check_held(&known, self.lease)?;
        need_for_end(draft, &known)?;
        let mut task = Task::clone(&known);
        report(&mut task, self.progress.as_ref());
        end_lease(draft, &mut task, LeaseEnd::Failed)?;
        let failure = Failure {
            kind: self.kind,
            message: policy::cut_error(&self.message),
            retry_after: self.retry_after,
            random: self.random,
        };
        rules::fail(draft, &mut task, failure)?;
        let reply = now_reply(&task);
        draft.put_task(task);
        Ok(reply)
    }
}
