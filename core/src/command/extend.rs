use serde::{Deserialize, Serialize};

use super::validate;
use crate::draft::{Draft, Step};
use crate::rules::{check_held, stale};
use crate::{EventKind, LeaseId, Millis, Progress, Reply, TaskId, Timestamp};

/// A heartbeat: keeps a lease alive and reports progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extend {
    /// The task.
    pub task: TaskId,
    /// The lease that is held.
    pub lease: LeaseId,
    /// How long the lease lasts from now; `None`: as the task says, and never shorter than it
    /// already does.
    pub duration: Option<Millis>,
    /// What there is to say about progress; what is absent stays as it was.
    pub progress: Option<Progress>,
}

impl Extend {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        if let Some(duration) = self.duration {
            validate::lease_duration("visibility_timeout_ms", duration)?;
        }
        validate::progress(self.progress.as_ref())?;
        let mut task = draft.task(self.task)?;
        check_held(&task, self.lease)?;
        let now = draft.now_for(&task);
        let usual = task.lease_duration;
        let Some(lease) = task.lease.as_mut() else {
            return Err(stale(&task, self.lease).into());
        };
        let deadline = lease.deadline.unwrap_or(Timestamp::MAX);
        if now >= lease.expires_at.min(deadline) && !crate::planted!(ExpiredLeaseExtended) {
            return Err(stale(&task, self.lease).into());
        }
        let wanted = match self.duration {
            Some(duration) => now + duration,
            None => lease.expires_at.max(now + usual),
        };
        lease.expires_at = wanted.min(deadline);
        let reply = Reply::Extended {
            expires_at: lease.expires_at,
            cancel_requested: task.cancel_requested,
        };
        report(&mut task, self.progress.as_ref());
        draft.event(&task, EventKind::Extended, None);
        draft.put_task(task);
        Ok(reply)
    }
}

/// Keeps what a holder says about its progress.
pub(super) fn report(task: &mut crate::Task, news: Option<&Progress>) {
    let Some(news) = news else {
        return;
    };
    let kept = task.progress.get_or_insert_default();
    if news.percent.is_some() {
        kept.percent = news.percent;
    }
    if news.message.is_some() {
        kept.message.clone_from(&news.message);
    }
    if news.checkpoint.is_some() {
        kept.checkpoint.clone_from(&news.checkpoint);
    }
}
