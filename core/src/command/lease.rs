use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use super::validate;
use crate::draft::{Draft, Step};
use crate::planted;
use crate::rules::{expiry, stale};
use crate::{EventKind, Lease, LeaseId, Millis, Rejection, Reply, Status, Task, TaskId, WorkerId};

/// Grants a queued task to a worker, as the attempt that follows its newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseTask {
    /// The task.
    pub task: TaskId,
    /// The new lease's identity.
    pub lease: LeaseId,
    /// Who wants it.
    pub worker: WorkerId,
    /// How long the lease lasts; `None`: as the task says.
    pub duration: Option<Millis>,
}

impl LeaseTask {
    /// Whether a worker may ask like this at all, whatever the task.
    ///
    /// # Errors
    /// The field that cannot be.
    pub fn check(worker: &WorkerId, duration: Option<Millis>) -> Result<(), Rejection> {
        validate::worker(worker)?;
        duration.map_or(Ok(()), |duration| {
            validate::lease_duration("visibility_timeout_ms", duration)
        })
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        Self::check(&self.worker, self.duration)?;
        let known = draft.known_task(self.task)?;
        let repeated = known.lease.as_ref().is_some_and(|l| l.id == self.lease);
        if repeated {
            return match known.status {
                Status::Running => Ok(Reply::Leased(known)),
                _ => Err(stale(&known, self.lease).into()),
            };
        }
        let now = draft.now_for(&known);
        if known.status != Status::Queued || expiry(&known).is_some_and(|at| at <= now) {
            return Err(Rejection::NotQueued {
                task: known.id,
                status: known.status,
            }
            .into());
        }
        let slot = self.take_slot(draft, &known)?;
        let mut task = Task::clone(&known);
        let expired = |l: &Lease| l.ended == Some(crate::LeaseEnd::Expired);
        if !(planted!(TokenStands) && task.lease.as_deref().is_some_and(expired)) {
            let epoch = match planted!(RedisEpochTokensShared) {
                true => crate::Epoch::default(),
                false => draft.view.epoch,
            };
            task.attempt = epoch.next_attempt(task.attempt);
        }
        task.status = Status::Running;
        task.started_at = Some(now);
        task.unsent = false;
        task.lease = Some(Box::new(Lease {
            id: self.lease,
            worker: self.worker.clone(),
            expires_at: now + self.duration.unwrap_or(task.lease_duration),
            deadline: task.timeout.map(|timeout| now + timeout),
            slot,
            ended: None,
        }));
        draft.event(&task, EventKind::Leased, None);
        Ok(Reply::Leased(draft.put_task(task)))
    }

    /// Takes a slot of the queue's concurrency limit, if it has one.
    fn take_slot(&self, draft: &mut Draft<'_>, task: &Task) -> Step<bool> {
        let mut queue = draft.queue_or_default(&task.queue)?;
        if queue.config.paused {
            return Err(Rejection::Paused {
                queue: task.queue.clone(),
            }
            .into());
        }
        let Some(limit) = queue.config.concurrency else {
            return Ok(false);
        };
        let more = planted!(LimitOffByOne) && queue.running == limit;
        if queue.free_slots() == Some(0) && !more {
            return Err(Rejection::ConcurrencyLimit {
                queue: task.queue.clone(),
                limit,
            }
            .into());
        }
        queue.running += 1;
        draft.put_queue(queue);
        Ok(true)
    }
}
