//! What happens to a task without a worker: it waits, it is told, it ends, it is forgotten.

use std::collections::BTreeSet;

use russet_core::command::{Cancel, Redrive};
use russet_core::{
    Dependency, DependencyOn, Dependents, End, ErrorKind, Idempotency, IfUnsatisfied, Message,
    Millis, Named, Record, RecordKey, Reply, Status, TaskId, Timestamp, Window,
};

use super::{Answer, Expected, Job, Oracle, Peek};

impl Oracle {
    /// What is told about a task.
    pub(super) fn now_reply(&self, id: TaskId) -> Answer {
        let job = &self.jobs[&id];
        Answer::Exactly(Reply::Now {
            task: id,
            status: job.status,
            attempt: job.attempts,
            scheduled_at: job.start.filter(|_| job.status == Status::Scheduled),
            cancel_requested: job.cancelling,
            follow_ups: Vec::new(),
        })
    }

    /// Where a task belongs that nobody holds.
    pub(super) fn place(&self, job: &mut Job) {
        if job.gated || !job.awaits.is_empty() {
            job.status = Status::Blocked;
        } else if job.start.is_some_and(|start| start > self.time(job)) {
            job.status = Status::Scheduled;
        } else {
            job.status = Status::Queued;
            job.unsent = self.split;
            job.sends = 0;
            job.ready = self.time(job);
        }
    }

    /// Ends a task; those who wait for it are not told yet.
    pub(super) fn end(&mut self, mut job: Job, status: Status) {
        let config = self.queue(&job.asked.queue);
        let let_down = job.error == Some(ErrorKind::DependencyUnsatisfied);
        let keep = if status == Status::Dead || let_down {
            config.keep_dead
        } else if status == Status::Cancelled
            && (job.is_awaited || job.children.iter().any(|of_life| !of_life.is_empty()))
        {
            config.keep_dead.max(config.keep_finished)
        } else {
            config.keep_finished
        };
        let named_until = |created: Timestamp, window: Option<Window>| match window {
            Some(Window::For(window)) => created + window,
            _ => created,
        };
        let own = job.asked.idempotency.as_ref().map(|known| known.window);
        let flow = job.workflow.map(|id| &self.flows[&id]);
        let flows = flow.map_or(Timestamp::ZERO, |flow| {
            named_until(flow.created, flow.key.as_ref().map(|(_, window)| *window))
        });
        let now = self.time(&job);
        let kept = now + job.asked.retention.unwrap_or(keep);
        job.status = status;
        job.completed = Some(now);
        job.purge = Some(kept.max(named_until(job.created, own)).max(flows));
        job.unsent = false;
        job.cancelling = false;
        self.put(job);
    }

    /// Tells those who wait for a task that it ended, or as many of them as the rules tell now.
    pub(super) fn tell(&mut self, parent: TaskId, peek: Peek<'_>) {
        let now_told = told_now(parent, peek);
        let is_bounded = self.is_bounded();
        let job = self.jobs.get_mut(&parent).expect("a parent");
        let end = job.end();
        let untold = job.children[job.told..].iter().flatten();
        let untold: BTreeSet<_> = untold
            .filter(|e| !job.partly.contains(e))
            .copied()
            .collect();
        assert!(now_told.is_subset(&untold), "somebody is told twice");
        if now_told == untold {
            job.told = job.children.len();
            job.partly.clear();
        } else {
            assert!(is_bounded, "somebody is not told");
            job.partly.extend(&now_told);
        }
        for edge in now_told {
            if edge.task.partition() == parent.partition() {
                self.hear(edge.task, parent, edge.on, end);
            } else {
                self.post(Message::Settled {
                    parent,
                    child: edge.task,
                    end,
                    life: None,
                });
            }
        }
    }

    /// A task hears of the end of a parent.
    pub(super) fn hear(
        &mut self,
        child: TaskId,
        parent: TaskId,
        on: DependencyOn,
        end: Option<End>,
    ) {
        let Some(mut job) = self.job(child).cloned() else {
            return;
        };
        job.awaits.remove(&Dependency { task: parent, on });
        let satisfied = end.is_some_and(|end| on.is_satisfied_by(end));
        match job.status {
            Status::Blocked if satisfied => {
                self.place(&mut job);
                self.put(job);
            }
            Status::Blocked => self.disappoint(job, is_moot(on, end)),
            _ => self.put(job),
        }
    }

    /// A parent can no longer end as a task wants it to; where nothing failed, that is moot.
    pub(super) fn disappoint(&mut self, mut job: Job, moot: bool) {
        let status = match job.asked.if_unsatisfied {
            IfUnsatisfied::Run => {
                self.place(&mut job);
                return self.put(job);
            }
            IfUnsatisfied::Cancel => Status::Cancelled,
            IfUnsatisfied::Dead => Status::Dead,
        };
        job.error = Some(match moot && status == Status::Cancelled {
            true => ErrorKind::NotNeeded,
            false => ErrorKind::DependencyUnsatisfied,
        });
        self.end(job, status);
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel, peek: Peek<'_>) -> Expected {
        let mut job = self.known(cancel.task)?;
        match job.status {
            Status::Succeeded | Status::Dead => return Err("wrong_status"),
            Status::Cancelled => {}
            Status::Running if job.cancelling => {}
            status => {
                if cancel.reason.is_some() {
                    job.error = Some(ErrorKind::Cancelled);
                    job.explained = Some(job.attempts);
                }
                if status == Status::Running {
                    job.cancelling = true;
                    self.put(job);
                } else {
                    self.end(job, Status::Cancelled);
                    self.tell(cancel.task, peek);
                }
            }
        }
        Ok(self.now_reply(cancel.task))
    }

    pub(super) fn redrive(&mut self, redrive: &Redrive) -> Expected {
        let mut job = self.known(redrive.task)?;
        if job.redriven_by == Some(redrive.id) {
            return Ok(self.now_reply(redrive.task));
        }
        let busy = job.workflow.is_some_and(|id| self.is_passing(id));
        let let_down = job.error == Some(ErrorKind::DependencyUnsatisfied);
        let meant = match job.status {
            Status::Dead => true,
            Status::Cancelled => redrive.cancelled || let_down,
            _ => false,
        };
        if !meant || job.told < job.children.len() || job.cleared > 0 {
            return Err("wrong_status");
        }
        if let_down || job.end() == Some(End::NotNeeded) {
            job.error = None;
        }
        if let Some(own) = &job.asked.idempotency {
            self.take_back(own, Named::Task(redrive.task))?;
        }
        if let Some(flow) = job.workflow
            && let Some((key, window)) = self.flows[&flow].key.clone()
        {
            self.take_back(&Idempotency { key, window }, Named::Workflow(flow))?;
        }
        if busy {
            return Err("wrong_status");
        }
        let now = self.time(&job);
        job.redriven_by = Some(redrive.id);
        job.retries = 0;
        job.completed = None;
        job.purge = None;
        job.expires = job.expires.filter(|at| *at > now + Millis::new(1));
        job.start = job.start.filter(|at| *at > now);
        if job.attempts == 0 {
            self.wait_again(&mut job)?;
        }
        self.place(&mut job);
        self.put(job);
        Ok(self.now_reply(redrive.task))
    }

    /// What never started waits for its parents again.
    fn wait_again(&mut self, job: &mut Job) -> Result<(), &'static str> {
        let (id, edges) = (job.asked.id, job.asked.dependencies.clone());
        let is_near = |edge: &Dependency| edge.task.partition() == id.partition();
        let end = |edge: &Dependency| self.job(edge.task).and_then(Job::end);
        let in_vain =
            |edge: &Dependency| end(edge).is_some_and(|end| !edge.on.is_satisfied_by(end));
        let minds = job.asked.if_unsatisfied != IfUnsatisfied::Run;
        if minds && edges.iter().any(|edge| is_near(edge) && in_vain(edge)) {
            return Err("wrong_status");
        }
        for edge in edges {
            let (parent, child, on) = (edge.task, id, edge.on);
            if !is_near(&edge) {
                let life = job.redriven_by;
                self.post(Message::Watch {
                    parent,
                    child,
                    on,
                    life,
                });
            } else if job.awaits.contains(&edge) {
                continue;
            } else if let Some(known) = self.job(parent).cloned()
                && !known.status.is_terminal()
            {
                self.watch(known, Dependency { task: child, on });
            } else {
                continue;
            }
            job.awaits.insert(edge);
        }
        Ok(())
    }

    pub(super) fn purge(&mut self, id: TaskId) -> Expected {
        let mut job = self.known(id)?;
        if !job.status.is_terminal() {
            return Err("wrong_status");
        }
        let reply = self.now_reply(id);
        if job.children.is_empty() && job.awaits.is_empty() && !job.gated {
            self.forget(id);
        } else {
            job.purge = Some(self.time(&job));
            self.put(job);
        }
        Ok(reply)
    }
}

/// Whether a task has nothing to do any more, since what it is there for did not happen.
pub(super) fn is_moot(on: DependencyOn, end: Option<End>) -> bool {
    match end {
        Some(End::NotNeeded) => on != DependencyOn::Completion,
        Some(End::Succeeded) => on == DependencyOn::Failure,
        _ => false,
    }
}

/// Whom a decision told of the end of `parent`: those after the ones who knew before.
fn told_now(parent: TaskId, peek: Peek<'_>) -> BTreeSet<Dependency> {
    let before = match peek.view.records.get(&RecordKey::Task(parent)) {
        Some(Some(Record::Task(task))) => task.dependents.settled,
        _ => 0,
    };
    let Some(task) = peek.stored.task(parent) else {
        return BTreeSet::new();
    };
    let list = |chunk| match peek
        .stored
        .records
        .get(&RecordKey::Dependents(parent, chunk))
    {
        Some(Record::Dependents(edges)) => edges.to_vec(),
        _ => Vec::new(),
    };
    let at = |position: u32| {
        let (chunk, place) = Dependents::place(position);
        match task.dependents.are_inline() {
            true => task.dependents.inline.get(place).copied(),
            false => list(chunk).get(place).copied(),
        }
    };
    let told = (before..task.dependents.settled).filter_map(at);
    let all: Vec<_> = told.collect();
    let each: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(all.len(), each.len(), "somebody is told twice");
    each
}
