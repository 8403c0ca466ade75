//! What workers do to tasks.

use russet_core::command::{Complete, Extend, Fail, LeaseTask, Release};
use russet_core::{
    ErrorKind, Lease, LeaseEnd, LeaseId, Millis, Progress, Reply, Status, TaskId, WorkflowId,
};

use super::timers::{expiry, lease_end};
use super::{Answer, Expected, Job, Oracle, Peek};

impl Oracle {
    pub(super) fn lease(&mut self, lease: &LeaseTask) -> Expected {
        if lease.duration == Some(Millis::ZERO) {
            return Err("invalid");
        }
        let mut job = self.known(lease.task)?;
        if job
            .lease
            .as_ref()
            .is_some_and(|known| known.id == lease.lease)
        {
            let running = job.status == Status::Running;
            return if running {
                Ok(Answer::Leased)
            } else {
                Err("stale_lease")
            };
        }
        let now = self.time(&job);
        if job.status != Status::Queued || expiry(&job).is_some_and(|at| at <= now) {
            return Err("not_queued");
        }
        let config = self.queue(&job.asked.queue).clone();
        if config.paused {
            return Err("paused");
        }
        if let Some(limit) = config.concurrency {
            if self.running(&job) >= limit as usize {
                return Err("concurrency_limit");
            }
            self.queues
                .insert((self.here, job.asked.queue.clone()), config.clone());
        }
        job.status = Status::Running;
        job.attempts += 1;
        job.unsent = false;
        job.lease = Some(Lease {
            id: lease.lease,
            worker: lease.worker.clone(),
            expires_at: now + lease.duration.unwrap_or(job.asked.lease_duration),
            deadline: job.asked.timeout.map(|timeout| now + timeout),
            slot: config.concurrency.is_some(),
            ended: None,
        });
        self.put(job);
        Ok(Answer::Leased)
    }

    /// How many leases of the same queue hold a slot.
    fn running(&self, like: &Job) -> usize {
        let holds = |job: &&Job| {
            job.asked.queue == like.asked.queue
                && usize::from(job.asked.id.partition().0) == self.here
                && job.status == Status::Running
                && job.lease.as_ref().is_some_and(|lease| lease.slot)
        };
        self.jobs.values().filter(holds).count()
    }

    fn held(&self, id: TaskId, lease: LeaseId) -> Result<Job, &'static str> {
        let job = self.known(id)?;
        let current = job.lease.as_ref().is_some_and(|known| known.id == lease);
        if current && job.status == Status::Running {
            Ok(job)
        } else {
            Err("stale_lease")
        }
    }

    /// Whether the newest lease is this one and ended so.
    fn ended_as(&self, id: TaskId, lease: LeaseId, end: LeaseEnd) -> Result<bool, &'static str> {
        let newest = self.known(id)?.lease;
        Ok(newest.is_some_and(|known| known.id == lease && known.ended == Some(end)))
    }

    pub(super) fn extend(&mut self, extend: &Extend) -> Expected {
        let mut job = self.held(extend.task, extend.lease)?;
        let now = self.time(&job);
        let lease = job.lease.as_mut().ok_or("stale_lease")?;
        if now >= lease_end(lease) {
            return Err("stale_lease");
        }
        let by_default = [lease.expires_at, now + job.asked.lease_duration];
        let wanted = match extend.duration {
            Some(duration) => now + duration,
            None => by_default.into_iter().max().unwrap_or(now),
        };
        lease.expires_at = lease
            .deadline
            .map_or(wanted, |deadline| deadline.min(wanted));
        let reply = Reply::Extended {
            expires_at: lease.expires_at,
            cancel_requested: job.cancelling,
        };
        hear_progress(&mut job, extend.progress.as_ref());
        self.put(job);
        Ok(Answer::Exactly(reply))
    }

    pub(super) fn complete(&mut self, complete: &Complete, peek: Peek<'_>) -> Expected {
        let id = complete.task;
        if self.ended_as(id, complete.lease, LeaseEnd::Completed)? {
            if self.known(id)?.result != complete.result {
                return Err("result_conflict");
            }
            let ids = complete
                .follow_ups
                .iter()
                .map(|task| self.accepted_as(task))
                .collect();
            return Ok(with_follow_ups(self.now_reply(id), ids));
        }
        let workflow: Option<WorkflowId> = self.held(id, complete.lease)?.workflow;
        let (ids, _) = self.create(&complete.follow_ups, workflow)?;
        let mut job = self.known(id)?;
        job.result.clone_from(&complete.result);
        hear_progress(&mut job, complete.progress.as_ref());
        end_lease(&mut job, LeaseEnd::Completed);
        self.end(job, Status::Succeeded);
        self.tell(id, peek);
        Ok(with_follow_ups(self.now_reply(id), ids))
    }

    pub(super) fn fail(&mut self, fail: &Fail, peek: Peek<'_>) -> Expected {
        if fail.kind == ErrorKind::Cancelled {
            return Err("invalid");
        }
        if !self.ended_as(fail.task, fail.lease, LeaseEnd::Failed)? {
            let mut job = self.held(fail.task, fail.lease)?;
            hear_progress(&mut job, fail.progress.as_ref());
            end_lease(&mut job, LeaseEnd::Failed);
            self.fail_attempt(job, fail.kind, fail.retry_after, peek);
        }
        Ok(self.now_reply(fail.task))
    }

    pub(super) fn reclaim(&mut self, mut job: Job, peek: Peek<'_>) {
        let deadline = job.lease.as_ref().and_then(|lease| lease.deadline);
        let late = deadline.is_some_and(|at| at + self.skew <= self.now);
        let kind = if late {
            ErrorKind::TimedOut
        } else {
            ErrorKind::LeaseExpired
        };
        end_lease(&mut job, LeaseEnd::Expired);
        self.fail_attempt(job, kind, None, peek);
    }

    fn fail_attempt(
        &mut self,
        mut job: Job,
        kind: ErrorKind,
        after: Option<Millis>,
        peek: Peek<'_>,
    ) {
        let id = job.asked.id;
        if !(job.cancelling && job.explained == Some(job.attempts)) {
            job.error = Some(kind);
        }
        let ends = if job.cancelling {
            Some(Status::Cancelled)
        } else if kind == ErrorKind::Final || job.retries >= job.asked.retry.max_retries {
            Some(Status::Dead)
        } else {
            None
        };
        if let Some(status) = ends {
            self.end(job, status);
            self.tell(id, peek);
            return;
        }
        let wait = after.unwrap_or_else(|| backoff(&job));
        job.retries += 1;
        job.start = Some(self.time(&job) + wait);
        self.place(&mut job);
        self.put(job);
    }

    pub(super) fn release(&mut self, release: &Release, peek: Peek<'_>) -> Expected {
        let id = release.task;
        if self.ended_as(id, release.lease, LeaseEnd::Released)? {
            return Ok(self.now_reply(id));
        }
        let mut job = self.held(id, release.lease)?;
        hear_progress(&mut job, release.progress.as_ref());
        end_lease(&mut job, LeaseEnd::Released);
        if job.cancelling {
            self.end(job, Status::Cancelled);
            self.tell(id, peek);
        } else {
            if let Some(delay) = release.delay {
                job.start = Some(self.time(&job) + delay);
            }
            self.place(&mut job);
            self.put(job);
        }
        Ok(self.now_reply(id))
    }
}

/// The first backoff, doubled for each earlier retry, up to the cap. Plans use no jitter.
pub fn backoff(job: &Job) -> Millis {
    let policy = job.asked.retry;
    let mut wait = policy.backoff;
    for _ in 0..job.retries {
        wait = wait + wait;
    }
    wait.min(policy.backoff_cap)
}

fn end_lease(job: &mut Job, end: LeaseEnd) {
    if let Some(lease) = &mut job.lease {
        lease.ended = Some(end);
        lease.slot = false;
    }
}

fn hear_progress(job: &mut Job, news: Option<&Progress>) {
    if let Some(news) = news {
        let old = job.progress.take().unwrap_or_default();
        job.progress = Some(Progress {
            percent: news.percent.or(old.percent),
            message: news.message.clone().or(old.message),
            checkpoint: news.checkpoint.clone().or(old.checkpoint),
        });
    }
}

fn with_follow_ups(answer: Answer, ids: Vec<TaskId>) -> Answer {
    match answer {
        Answer::Exactly(Reply::Now {
            task,
            status,
            attempt,
            scheduled_at,
            cancel_requested,
            ..
        }) => Answer::Exactly(Reply::Now {
            task,
            status,
            attempt,
            scheduled_at,
            cancel_requested,
            follow_ups: ids,
        }),
        other => other,
    }
}
