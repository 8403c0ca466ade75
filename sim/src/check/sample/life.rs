//! The steps of a task's life, as a history has them.

use russet_core::{
    ErrorKind, Lease, LeaseEnd, Millis, Status, Task, TaskError, Timestamp, WorkerId,
};

use super::{Sample, id, lease, submit};
use crate::history::{Actor, Answer, Ask, Granted, What};

impl Sample {
    /// The task `n` is submitted, with changes.
    pub fn submitted_as(&mut self, n: u64, change: impl FnOnce(&mut Task)) -> &mut Self {
        let call = self.ask(Actor::Client(0), Ask::Submit(Box::new(submit(n))));
        self.change(n, change);
        let (task, workflow) = (Some(id(n)), None);
        self.answer(
            call,
            Answer::Submitted {
                task,
                workflow,
                existing: false,
            },
        )
    }

    pub fn submitted(&mut self, n: u64) -> &mut Self {
        self.submitted_as(n, |_| {})
    }

    /// The store grants the task `n` with the lease `l`.
    pub fn start(&mut self, n: u64, l: u64) -> &mut Self {
        let token = self.task(n).attempt + 1;
        self.start_with(n, l, token)
    }

    /// The store grants the task `n` with the lease `l` and this fencing token.
    pub fn start_with(&mut self, n: u64, l: u64, token: u64) -> &mut Self {
        let now = Timestamp::from_millis(self.clock().as_millis() + 1);
        self.change(n, |task| {
            task.status = Status::Running;
            task.attempt = token;
            task.started_at = Some(now);
            task.lease = Some(Box::new(Lease {
                id: lease(l),
                worker: WorkerId("worker-0".into()),
                expires_at: now + task.lease_duration,
                deadline: task.timeout.map(|timeout| now + timeout),
                slot: false,
                ended: None,
            }));
        })
    }

    /// A worker asks for and is granted the task `n`, and its handler begins.
    pub fn granted(&mut self, n: u64, l: u64) -> &mut Self {
        let ask = Ask::Lease {
            queues: vec!["queue-0".to_owned()],
            max: 1,
            lease_ms: None,
        };
        let call = self.ask(Actor::Worker(0), ask);
        self.start(n, l);
        let task = self.task(n);
        let granted = Granted {
            task: task.id,
            attempt: task.attempt,
            lease: lease(l),
            lasts_ms: task.lease_duration.as_millis(),
        };
        self.answer(call, Answer::Leased(vec![granted]));
        let (worker, task, attempt) = (Actor::Worker(0), id(n), granted.attempt);
        self.write(What::Began {
            worker,
            task,
            attempt,
            lease: lease(l),
        });
        self
    }

    /// The store ends the lease and the task.
    pub fn end(&mut self, n: u64, status: Status, end: LeaseEnd) -> &mut Self {
        let now = Timestamp::from_millis(self.clock().as_millis() + 1);
        self.change(n, |task| {
            task.status = status;
            task.completed_at = Some(now);
            task.ready_at = None;
            if let Some(lease) = task.lease.as_mut() {
                lease.ended = Some(end);
            }
            if end != LeaseEnd::Completed {
                task.last_error = Some(error(task, ErrorKind::Failed, now));
            }
        })
    }

    /// The store ends the lease as failed or expired, and the task is to be tried again.
    pub fn retry(&mut self, n: u64, end: LeaseEnd, after: u64) -> &mut Self {
        let now = Timestamp::from_millis(self.clock().as_millis() + 1);
        self.change(n, |task| {
            task.status = Status::Scheduled;
            task.retry_count += 1;
            task.scheduled_at = Some(now + Millis::new(after));
            task.last_error = Some(error(task, ErrorKind::Failed, now));
            if let Some(lease) = task.lease.as_mut() {
                lease.ended = Some(end);
            }
        })
    }

    /// The task is due.
    pub fn queued(&mut self, n: u64) -> &mut Self {
        let now = Timestamp::from_millis(self.clock().as_millis() + 1);
        self.change(n, |task| {
            task.status = Status::Queued;
            task.ready_at = Some(now);
        })
    }

    /// The worker's completion is accepted.
    pub fn completed(&mut self, n: u64, l: u64) -> &mut Self {
        let ask = Ask::Complete {
            task: id(n),
            lease: lease(l),
            follow_ups: Vec::new(),
        };
        let call = self.ask(Actor::Worker(0), ask);
        self.end(n, Status::Succeeded, LeaseEnd::Completed);
        let (status, attempt) = (Status::Succeeded, self.task(n).attempt);
        self.answer(call, Answer::Now { status, attempt })
    }
}

fn error(task: &Task, kind: ErrorKind, at: Timestamp) -> Box<TaskError> {
    Box::new(TaskError {
        kind,
        message: "it failed".to_owned(),
        attempt: task.attempt,
        at,
    })
}
