//! What time and messages do: timers fire, news arrive, what ended is forgotten.

use std::collections::BTreeSet;

use russet_core::{
    Dependency, DependencyOn, ErrorKind, Lease, Message, MessageId, Millis, Named, Reply, Status,
    TaskId, TimerKey, Timestamp, limits,
};

use super::{Answer, Job, Oracle, Peek};

const AN_HOUR: Millis = Millis::from_secs(3_600);
/// Of a day.
const A_QUARTER: Millis = Millis::from_secs(6 * 3_600);

impl Oracle {
    /// One step towards forgetting a task whose time is over.
    fn purge_step(&mut self, mut job: Job, peek: Peek<'_>) {
        let id = job.asked.id;
        let now = self.time(&job);
        if job.gated || !job.awaits.is_empty() {
            job.purge = Some(now + AN_HOUR);
            return self.ask_again(job, peek);
        }
        let children = match job.children.get(job.cleared) {
            None => return self.forget(id),
            Some(children) => {
                let live = children.iter().any(|edge| self.is_live(edge.task));
                (!live).then(|| children.clone())
            }
        };
        let Some(children) = children else {
            job.purge = Some(now + AN_HOUR);
            return self.put(job);
        };
        job.cleared += 1;
        let elsewhere = |child: &TaskId| child.partition() != id.partition();
        let far: BTreeSet<_> = children
            .iter()
            .map(|edge| edge.task)
            .filter(elsewhere)
            .collect();
        for child in far {
            let on = DependencyOn::Completion;
            job.awaits.insert(Dependency { task: child, on });
            job.purge = Some(now + Millis::from_secs(10));
            self.post(Message::Watch {
                parent: child,
                child: id,
                on,
                life: job.redriven_by,
            });
        }
        self.put(job);
    }

    pub(super) fn forget(&mut self, id: TaskId) {
        let job = self.jobs.get_mut(&id).expect("a task");
        job.gone = true;
        let workflow = job.workflow;
        self.names.retain(|_, name| name.named != Named::Task(id));
        if let Some(workflow) = workflow
            && self.members(workflow).all(|job| job.gone)
        {
            self.flows.remove(&workflow);
            self.jobs.retain(|_, job| job.workflow != Some(workflow));
            self.names
                .retain(|_, name| name.named != Named::Workflow(workflow));
        }
    }

    /// When a task's timer fires.
    pub(super) fn due(&self, job: &Job) -> Option<Timestamp> {
        let sent_after = match job.unsent {
            true => Millis::from_secs(60.min(2 << job.sends.min(16))),
            false => {
                let ready = job.updated.since(job.ready);
                ready.max(Millis::from_secs(300)).min(A_QUARTER)
            }
        };
        match job.status {
            Status::Blocked if job.untouched => None,
            Status::Blocked => asks_at(job).into_iter().chain(expiry(job)).min(),
            Status::Scheduled => job.start.into_iter().chain(expiry(job)).min(),
            Status::Queued if self.split => Some(job.updated + sent_after)
                .into_iter()
                .chain(expiry(job))
                .min(),
            Status::Queued => expiry(job),
            Status::Running => job
                .lease
                .iter()
                .map(|lease| lease_end(lease) + self.skew)
                .min(),
            _ if job.told < job.children.len() => Some(job.updated),
            _ => job.purge,
        }
    }

    pub(super) fn fire(&mut self, timer: TimerKey, peek: Peek<'_>) -> Answer {
        let id = match timer {
            TimerKey::Task(id) => id,
            TimerKey::Outbox(id) => return self.relay(id),
            TimerKey::Workflow(id) => return self.fire_gate(id, peek),
        };
        let due = self.job(id).and_then(|job| self.due(job));
        if due.is_none_or(|due| due > self.now) {
            return Answer::Exactly(Reply::NotDue { next: due });
        }
        let mut job = self.jobs[&id].clone();
        match job.status {
            Status::Running => self.reclaim(job, peek),
            _ if job.status.is_terminal() && job.told < job.children.len() => {
                self.tell(id, peek);
                self.put(self.jobs[&id].clone());
            }
            _ if job.status.is_terminal() => self.purge_step(job, peek),
            _ if expiry(&job).is_some_and(|at| at <= self.now) => {
                job.error = Some(ErrorKind::Expired);
                self.end(job, Status::Dead);
                self.tell(id, peek);
            }
            Status::Scheduled => {
                self.place(&mut job);
                self.put(job);
            }
            Status::Blocked => self.ask_again(job, peek),
            _ => {
                job.sends = match job.unsent {
                    true => job.sends + 1,
                    false => 0,
                };
                job.unsent = self.split;
                self.put(job);
            }
        }
        let next = self.job(id).and_then(|job| self.due(job));
        Answer::Exactly(Reply::Fired { next, relay: None })
    }

    /// A task that has waited for long asks those elsewhere that it waits for, or some of them.
    fn ask_again(&mut self, mut job: Job, peek: Peek<'_>) {
        let child = job.asked.id;
        let far = job.awaits.iter().map(|edge| edge.task);
        let far = far.filter(|parent| parent.partition() != child.partition());
        let asks = far.map(|parent| Message::Ask {
            parent,
            child,
            life: job.redriven_by,
        });
        let open: Vec<_> = asks
            .filter(|ask| !self.mail.contains_key(&(self.here, ask.id())))
            .collect();
        let asked = peek.decision.map_or(&[][..], |decided| &decided.messages);
        assert!(asked.iter().all(|ask| open.contains(ask)), "not waited for");
        assert!(
            asked.len() == open.len() || (self.is_bounded() && !asked.is_empty()),
            "somebody is not asked"
        );
        asked.iter().for_each(|ask| self.post(*ask));
        job.sends += 1;
        self.put(job);
    }

    fn relay(&mut self, id: MessageId) -> Answer {
        let now = self.now;
        let Some(mail) = self.mail.get_mut(&(self.here, id)) else {
            return Answer::Exactly(Reply::NotDue { next: None });
        };
        if mail.due > now {
            return Answer::Exactly(Reply::NotDue {
                next: Some(mail.due),
            });
        }
        mail.tries += 1;
        mail.due = now + Millis::from_secs(60.min(1 << mail.tries.min(16)));
        Answer::Exactly(Reply::Fired {
            next: Some(mail.due),
            relay: Some(mail.message),
        })
    }

    pub(super) fn deliver(&mut self, message: Message) -> Answer {
        match message {
            Message::Watch {
                parent,
                child,
                on,
                life,
            } => match self.job(parent).cloned() {
                Some(job) if !job.status.is_terminal() => {
                    self.watch(job, Dependency { task: child, on });
                }
                other => self.answer(parent, child, other.as_ref(), life),
            },
            Message::Ask {
                parent,
                child,
                life,
            } => {
                let known = self.job(parent).cloned();
                if known.as_ref().is_none_or(|job| job.status.is_terminal()) {
                    self.answer(parent, child, known.as_ref(), life);
                }
            }
            Message::Settled {
                parent,
                child,
                end,
                life,
            } => {
                let awaited = self.job(child).and_then(|job| {
                    let edge = job.awaits.iter().find(|edge| edge.task == parent)?;
                    Some((*edge, job.redriven_by))
                });
                match awaited {
                    Some((edge, asks)) if asks == life => self.hear(child, parent, edge.on, end),
                    // It was told in another life: what of that still holds?
                    Some((_, life)) => self.post(Message::Ask {
                        parent,
                        child,
                        life,
                    }),
                    None => {}
                }
            }
        }
        Answer::Exactly(Reply::Done)
    }

    /// Tells that a parent ended, or is not there.
    fn answer(&mut self, parent: TaskId, child: TaskId, known: Option<&Job>, life: Option<u64>) {
        let end = known.and_then(Job::end);
        let answer = Message::Settled {
            parent,
            child,
            end,
            life,
        };
        if end.is_some() || !self.mail.contains_key(&(self.here, answer.id())) {
            self.post(answer);
        }
    }

    /// A live task is told who waits for it; telling it twice changes nothing.
    pub(super) fn watch(&mut self, mut parent: Job, edge: Dependency) {
        if parent.children.len() == parent.told {
            parent.children.push(Default::default());
        }
        if parent
            .children
            .last_mut()
            .is_some_and(|children| children.insert(edge))
        {
            self.put(parent);
        }
    }
}

/// When a blocked task asks its parents elsewhere again; a long list may have some.
fn asks_at(job: &Job) -> Option<Timestamp> {
    let edges = &job.asked.dependencies;
    let id = job.asked.id;
    let far = edges
        .iter()
        .any(|edge| edge.task.partition() != id.partition());
    let may = far || edges.len() > limits::INLINE_DEPENDENCIES;
    may.then(|| job.updated + seldom(job.sends))
}

/// How long a watchdog waits that has barked so often.
fn seldom(times: u32) -> Millis {
    Millis::from_secs(300 << times.min(16)).min(A_QUARTER)
}

/// When it is too late for a first start.
pub(super) fn expiry(job: &Job) -> Option<Timestamp> {
    if job.attempts > 0 { None } else { job.expires }
}

/// When the holder of a lease has run out of time.
pub(super) fn lease_end(lease: &Lease) -> Timestamp {
    lease
        .deadline
        .map_or(lease.expires_at, |deadline| deadline.min(lease.expires_at))
}
