//! Which ids and keys were asked for.

use std::collections::BTreeMap;

use russet::wire::SubmitTask;
use russet_core::policy::Fingerprint;
use russet_core::{LeaseId, PartitionId, TaskId, WorkflowId};

use super::calls::Calls;
use crate::history::{Ask, At};

/// A request for one task.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The position of the question in the history.
    pub asked: usize,
    pub asked_at: At,
    pub task: &'a SubmitTask,
    /// The workflow that it was asked for with.
    pub workflow: Option<&'a russet::wire::SubmitWorkflow>,
}

/// Requests by what names them. Keys name follow-up tasks in the partition of their parent.
#[derive(Default)]
pub(super) struct Names<'a> {
    by_id: BTreeMap<TaskId, Vec<Request<'a>>>,
    by_key: BTreeMap<&'a str, Vec<Request<'a>>>,
    workflow_keys: BTreeMap<&'a str, Vec<Request<'a>>>,
    nameless: Vec<Request<'a>>,
    nameless_workflows: Vec<Request<'a>>,
}

impl<'a> Names<'a> {
    pub fn of(calls: &Calls<'a>) -> Self {
        let mut names = Self::default();
        for item in &calls.items {
            let request = |task, workflow| Request {
                asked: item.asked,
                asked_at: item.asked_at,
                task,
                workflow,
            };
            match item.ask {
                Ask::Submit(task) => names.one(task.id, request(task, None)),
                Ask::SubmitWorkflow(workflow) => {
                    for (at, task) in workflow.tasks.iter().enumerate() {
                        names.member(at, request(task, Some(workflow)));
                    }
                }
                Ask::Complete {
                    task,
                    lease,
                    follow_ups,
                } => {
                    for (at, new) in follow_ups.iter().enumerate() {
                        let id = new.id.unwrap_or(follow_up_id(*task, *lease, at));
                        names.one(Some(id), request(new, None));
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn one(&mut self, id: Option<TaskId>, request: Request<'a>) {
        if let Some(id) = id {
            self.by_id.entry(id).or_default().push(request);
        }
        if let Some(key) = &request.task.idempotency_key {
            self.by_key.entry(key).or_default().push(request);
        } else if id.is_none() {
            self.nameless.push(request);
        }
    }

    fn member(&mut self, at: usize, request: Request<'a>) {
        let workflow = request.workflow;
        let key = workflow.and_then(|w| w.idempotency_key.as_deref());
        match (workflow.and_then(|w| w.id), key) {
            (Some(id), _) => self.one(Some(member_id(id, at)), request),
            (None, Some(key)) => self.workflow_keys.entry(key).or_default().push(request),
            (None, None) => self.nameless_workflows.push(request),
        }
    }

    /// The requests that may have made a task, before the entry. `key` names the task, or its
    /// workflow when it has one.
    pub fn requests(
        &self,
        id: TaskId,
        key: Option<&str>,
        workflow: Option<WorkflowId>,
        before: usize,
    ) -> impl Iterator<Item = &Request<'a>> {
        let keyed = match workflow {
            Some(_) => &self.workflow_keys,
            None => &self.by_key,
        };
        let nameless = match workflow {
            Some(_) => &self.nameless_workflows,
            None => &self.nameless,
        };
        let own = self.by_id.get(&id).into_iter().flatten();
        let keyed = key.and_then(|key| keyed.get(key)).into_iter().flatten();
        let all = own.chain(keyed).chain(nameless);
        all.filter(move |request| request.asked < before)
    }
}

/// The id of the task at `at` in a workflow.
pub(super) fn member_id(workflow: WorkflowId, at: usize) -> TaskId {
    behind(workflow.as_u128(), workflow.as_u128() as u64, at)
}

/// The id of the follow-up at `at` that was asked for without one.
pub(super) fn follow_up_id(task: TaskId, lease: LeaseId, at: usize) -> TaskId {
    let mut hash = Fingerprint::new();
    hash.add(&lease.as_u128().to_be_bytes());
    behind(task.as_u128(), hash.finish() as u64, at)
}

fn behind(id: u128, low: u64, at: usize) -> TaskId {
    let low = low.wrapping_add(1 + at as u64);
    TaskId::from_u128(id >> 64 << 64 | u128::from(low))
}

/// The partition that a key chooses.
pub(super) fn partition_of_key(key: &str, partitions: u16) -> PartitionId {
    russet_core::policy::partition_of_key(key, partitions)
}
