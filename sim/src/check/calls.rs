//! What was asked and what was answered.

use std::collections::{BTreeMap, HashMap};

use russet_core::{LeaseId, Task, TaskId, WorkflowId};

use crate::history::{Actor, Answer, Ask, At, CallId, Entry, Granted, What};

/// One item of a call and its answer.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub call: CallId,
    pub who: Actor,
    /// The position of the question in the history.
    pub asked: usize,
    pub asked_at: At,
    pub ask: &'a Ask,
    pub reply: Option<Replied<'a>>,
}

/// The answer to an item.
#[derive(Clone, Copy)]
pub(super) struct Replied<'a> {
    /// The position of the answer in the history.
    pub entry: usize,
    pub at: At,
    pub answer: &'a Answer,
}

impl<'a> Item<'a> {
    /// The answer, when it was done for certain.
    pub fn done(&self) -> Option<Replied<'a>> {
        self.reply.filter(|replied| replied.answer.is_done())
    }

    /// The entries that show the item.
    pub fn shown_by(&self) -> Vec<usize> {
        let answered = self.reply.map(|replied| replied.entry);
        std::iter::once(self.asked).chain(answered).collect()
    }
}

/// A grant as a worker got it.
#[derive(Clone, Copy)]
pub(super) struct Grant {
    pub worker: Actor,
    pub granted: Granted,
    /// How long the worker wanted the lease to last; as the task says when absent.
    pub lease_ms: Option<u64>,
    /// The positions of the question and the answer.
    pub asked: usize,
    pub asked_at: At,
    pub answered: usize,
}

/// All calls of a run.
#[derive(Default)]
pub(super) struct Calls<'a> {
    /// In the order in which they were asked.
    pub items: Vec<Item<'a>>,
    /// Positions in `items` of those that name a task.
    by_task: BTreeMap<TaskId, Vec<usize>>,
    /// Positions in `items` of those that name a lease.
    by_lease: BTreeMap<LeaseId, Vec<usize>>,
    /// Positions in `items` of redrives that name many tasks at once.
    redrives: Vec<usize>,
    /// Positions in `items` of the cancels of each workflow.
    workflow_cancels: BTreeMap<WorkflowId, Vec<usize>>,
    /// What workers were granted.
    pub grants: BTreeMap<LeaseId, Grant>,
    first_of: HashMap<CallId, usize>,
}

impl<'a> Calls<'a> {
    /// Reads one entry.
    pub fn read(&mut self, position: usize, entry: &'a Entry) {
        match &entry.what {
            What::Asked {
                call, who, asks, ..
            } => {
                self.first_of.insert(*call, self.items.len());
                for ask in asks.iter() {
                    self.index(ask);
                    self.items.push(Item {
                        call: *call,
                        who: *who,
                        asked: position,
                        asked_at: entry.at,
                        ask,
                        reply: None,
                    });
                }
            }
            What::Answered { call, answers } => self.answered(position, entry.at, *call, answers),
            _ => {}
        }
    }

    fn index(&mut self, ask: &Ask) {
        let at = self.items.len();
        if let Some(task) = task_of(ask) {
            self.by_task.entry(task).or_default().push(at);
        }
        if let Some(lease) = lease_of(ask) {
            self.by_lease.entry(lease).or_default().push(at);
        }
        if matches!(ask, Ask::RedriveAll { .. } | Ask::RedriveWorkflow { .. }) {
            self.redrives.push(at);
        }
        if let Ask::CancelWorkflow(workflow) = ask {
            self.workflow_cancels.entry(*workflow).or_default().push(at);
        }
    }

    fn answered(&mut self, entry: usize, at: At, call: CallId, answers: &'a [Answer]) {
        let Some(first) = self.first_of.get(&call).copied() else {
            return;
        };
        for (item, answer) in self.items[first..].iter_mut().zip(answers) {
            if item.call != call || item.reply.is_some() {
                return;
            }
            item.reply = Some(Replied { entry, at, answer });
            let (Ask::Lease { lease_ms, .. }, Answer::Leased(granted)) = (item.ask, answer) else {
                continue;
            };
            for granted in granted {
                let grant = Grant {
                    worker: item.who,
                    granted: *granted,
                    lease_ms: *lease_ms,
                    asked: item.asked,
                    asked_at: item.asked_at,
                    answered: entry,
                };
                self.grants.entry(granted.lease).or_insert(grant);
            }
        }
    }

    /// What was asked of a task, in order.
    pub fn of_task(&self, task: TaskId) -> impl Iterator<Item = &Item<'a>> {
        let own = self.by_task.get(&task).into_iter().flatten();
        own.map(|at| &self.items[*at])
    }

    /// Whether somebody had asked to purge the task before `entry`. What is accepted, cancelled and
    /// purged in one commit was never stored.
    pub fn purged(&self, task: TaskId, entry: usize) -> bool {
        let purges = |item: &Item<'_>| matches!(item.ask, Ask::Purge(_)) && item.asked < entry;
        self.of_task(task).any(purges)
    }

    /// Every cancel that was asked for before `entry` and means this task, as one of it alone.
    pub fn cancels_of(&self, task: &Task, entry: usize) -> impl Iterator<Item = Ask> {
        let own = self.of_task(task.id);
        let own = own.filter(|item| matches!(item.ask, Ask::Cancel(_)));
        let whole = task.workflow.and_then(|id| self.workflow_cancels.get(&id));
        let whole = whole.into_iter().flatten().map(|at| &self.items[*at]);
        let all = own.chain(whole).filter(move |item| item.asked < entry);
        let id = task.id;
        all.map(move |_| Ask::Cancel(id))
    }

    /// Every redrive that was asked for before `entry` and means this task, as one of it alone.
    pub fn redrives_of(&self, task: &Task, entry: usize) -> Vec<Ask> {
        let own = self.of_task(task.id).filter(|item| item.asked < entry);
        let own = own.filter(|item| matches!(item.ask, Ask::Redrive { .. }));
        let many = self.redrives.iter().map(|at| &self.items[*at]);
        let many = many.filter(|item| item.asked < entry);
        let many = many.filter_map(|item| redrive_of(item.ask, task));
        own.map(|item| item.ask.clone()).chain(many).collect()
    }

    /// What was asked with a lease, in order.
    pub fn of_lease(&self, lease: LeaseId) -> impl Iterator<Item = &Item<'a>> {
        let own = self.by_lease.get(&lease).into_iter().flatten();
        own.map(|at| &self.items[*at])
    }
}

/// What a redrive of many tasks asks of this one.
pub(super) fn redrive_of(ask: &Ask, task: &Task) -> Option<Ask> {
    let (request_id, cancelled) = match ask {
        Ask::RedriveAll { queue, request_id } => {
            let own = task.queue.as_str();
            let meant = queue.as_deref().is_none_or(|queue| queue == own);
            (request_id, meant.then_some(false)?)
        }
        Ask::RedriveWorkflow {
            workflow,
            request_id,
            cancelled,
        } => {
            let meant = task.workflow == Some(*workflow);
            (request_id, meant.then_some(*cancelled)?)
        }
        _ => return None,
    };
    Some(Ask::Redrive {
        task: task.id,
        request_id: request_id.clone(),
        cancelled,
    })
}

/// The task that is asked about.
pub(super) fn task_of(ask: &Ask) -> Option<TaskId> {
    match ask {
        Ask::Extend { task, .. }
        | Ask::Complete { task, .. }
        | Ask::Fail { task, .. }
        | Ask::Release { task, .. }
        | Ask::Redrive { task, .. }
        | Ask::Cancel(task)
        | Ask::Purge(task)
        | Ask::Get(task) => Some(*task),
        Ask::Submit(task) => task.id,
        _ => None,
    }
}

/// The lease that is asked with.
pub(super) fn lease_of(ask: &Ask) -> Option<LeaseId> {
    match ask {
        Ask::Extend { lease, .. }
        | Ask::Complete { lease, .. }
        | Ask::Fail { lease, .. }
        | Ask::Release { lease, .. } => Some(*lease),
        _ => None,
    }
}

/// What is asked for, in a word.
pub(super) fn verb(ask: &Ask) -> &'static str {
    match ask {
        Ask::Submit(_) => "submit",
        Ask::SubmitWorkflow(_) => "submit workflow",
        Ask::Lease { .. } => "lease",
        Ask::Extend { .. } => "extend",
        Ask::Complete { .. } => "complete",
        Ask::Fail { .. } => "fail",
        Ask::Release { .. } => "release",
        Ask::Cancel(_) => "cancel",
        Ask::CancelWorkflow(_) => "cancel workflow",
        Ask::Redrive { .. } => "redrive",
        Ask::RedriveAll { .. } => "redrive all",
        Ask::RedriveWorkflow { .. } => "redrive workflow",
        Ask::Purge(_) => "purge",
        Ask::Get(_) => "get",
        Ask::Configure { .. } => "configure",
        Ask::Look => "look",
    }
}
