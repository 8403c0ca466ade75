mod among;
mod create;
mod graph;
mod keys;
mod staged;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::among::{cycles_among, waves_among};
pub(super) use self::create::{create, dependent_chunks, task_reads};
pub(super) use self::graph::{add_dependent, depend_on, parent_reads};
use self::keys::{fingerprint, members, name, named, places};
pub(super) use self::keys::{other_under_id, take_back, under_which_id};
use super::validate;
use crate::draft::{Draft, Step};
use crate::{
    Dependency, GateState, Idempotency, IfUnsatisfied, Label, Millis, Named, PartitionKey,
    QueueName, RecordKey, Rejection, Reply, Resources, RetryPolicy, TaskId, TaskType, Timestamp,
    Workflow, WorkflowId, limits,
};

/// Accepts tasks: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// The workflow that the tasks form, if they do.
    pub workflow: Option<NewWorkflow>,
    /// The tasks; they may depend on one another.
    pub tasks: Vec<NewTask>,
}

/// A workflow to be submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWorkflow {
    /// Its identity, in the partition of its tasks.
    pub id: WorkflowId,
    /// What its submitter calls it.
    pub name: Option<Label>,
    /// A key that names it.
    pub idempotency: Option<Idempotency>,
}

/// A task to be submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its identity; it chooses the partition.
    pub id: TaskId,
    /// What errors call it.
    pub label: Option<Label>,
    /// What kind of work it is.
    pub kind: TaskType,
    /// The queue that it waits in.
    pub queue: QueueName,
    /// What its handler gets.
    pub payload: Bytes,
    /// 0 to 9, 9 most urgent; `None`: 4, or by the longest remaining path in a workflow.
    pub priority: Option<u8>,
    /// How failures are followed by other tries.
    pub retry: RetryPolicy,
    /// Its earliest start.
    pub start: Option<When>,
    /// It is dead-lettered when nobody started it by then.
    pub expires: Option<When>,
    /// How long a lease lasts without a heartbeat.
    pub lease_duration: Millis,
    /// How long one attempt may take.
    pub timeout: Option<Millis>,
    /// How long it is kept after its end; `None`: as its queue says.
    pub retention: Option<Millis>,
    /// What it waits for.
    pub dependencies: Vec<Dependency>,
    /// What becomes of it when a dependency cannot be satisfied.
    pub if_unsatisfied: IfUnsatisfied,
    /// What a worker must have free to hold it.
    pub resources: Resources,
    /// A key that names it.
    pub idempotency: Option<Idempotency>,
    /// The text that chose its partition.
    pub partition_key: Option<PartitionKey>,
    /// What its submitter wants to keep beside it.
    pub metadata: Bytes,
    /// How long it is expected to run, to order the tasks of a workflow.
    pub expected: Option<Millis>,
}

/// A time, or a duration from the submission on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// At this time.
    At(Timestamp),
    /// This long after the submission.
    In(Millis),
}

impl When {
    /// The time, for a submission at `now`.
    fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(after) => now + after,
        }
    }
}

impl NewTask {
    /// The lease duration of tasks that name none.
    pub const LEASE_DURATION: Millis = Millis::from_secs(30);
    /// The priority of tasks that name none.
    pub const PRIORITY: u8 = 4;

    /// A task with the defaults of everything else.
    pub fn new(id: TaskId, kind: TaskType, queue: QueueName, payload: Bytes) -> Self {
        Self {
            id,
            label: None,
            kind,
            queue,
            payload,
            priority: None,
            retry: RetryPolicy::default(),
            start: None,
            expires: None,
            lease_duration: Self::LEASE_DURATION,
            timeout: None,
            retention: None,
            dependencies: Vec::new(),
            if_unsatisfied: IfUnsatisfied::default(),
            resources: Resources::NONE,
            idempotency: None,
            partition_key: None,
            metadata: Bytes::new(),
            expected: None,
        }
    }

    /// What errors call the task.
    pub(super) fn called(&self) -> String {
        match &self.label {
            Some(label) => label.to_string(),
            None => self.id.to_string(),
        }
    }
}

impl Submit {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        let mut keys: Vec<_> = self.tasks.iter().flat_map(task_reads).collect();
        keys.extend(graph::list_reads(&self.tasks));
        if let Some(workflow) = &self.workflow {
            keys.push(RecordKey::Workflow(workflow.id));
            let key = workflow.idempotency.as_ref();
            keys.extend(key.map(|known| RecordKey::Dedup(known.key.clone())));
        }
        keys
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let Some(workflow) = &self.workflow else {
            validate::count("tasks", self.tasks.len(), limits::BATCH_ITEMS)?;
            let accepted = create(draft, &self.tasks, None, "tasks")?;
            return Ok(Reply::Submitted {
                tasks: accepted.ids,
                workflow: None,
                existing: accepted.fresh == 0,
            });
        };
        validate::count("tasks", self.tasks.len(), limits::WORKFLOW_TASKS)?;
        self.workflow(draft, workflow)
    }

    fn workflow(&self, draft: &mut Draft<'_>, new: &NewWorkflow) -> Step<Reply> {
        validate::workflow(new, &self.tasks, draft.view.partition)?;
        let members = members(&self.tasks);
        if let Some(known) = draft.workflow(new.id)? {
            return self.again(draft, new, known, members);
        }
        if let Some(idempotency) = &new.idempotency {
            let request = fingerprint(&self.tasks, &places(&self.tasks));
            if let Some(Named::Workflow(id)) = named(draft, idempotency, request, None)? {
                if draft.workflow(id)?.is_some_and(|w| !w.is_accepted()) {
                    return Err(Rejection::Incomplete { workflow: id }.into());
                }
                return Ok(Reply::Submitted {
                    tasks: Vec::new(),
                    workflow: Some(id),
                    existing: true,
                });
            }
            name(draft, idempotency, Named::Workflow(new.id), request);
        }
        let record = Workflow {
            id: new.id,
            name: new.name.clone(),
            created_at: draft.now,
            completed_at: None,
            tasks: 0,
            succeeded: 0,
            dead: 0,
            cancelled: 0,
            not_needed: 0,
            purged: 0,
            idempotency: new.idempotency.clone(),
            members,
            gate: None,
        };
        if self.is_larger_than(&draft.view.transaction) {
            return self.begin(draft, record);
        }
        draft.put_workflow(record);
        let accepted = create(draft, &self.tasks, Some(new.id), "tasks")?;
        Ok(Reply::Submitted {
            tasks: accepted.ids,
            workflow: Some(new.id),
            existing: false,
        })
    }

    /// Answers a repetition, and refuses another workflow under the same id.
    fn again(
        &self,
        draft: &mut Draft<'_>,
        new: &NewWorkflow,
        known: Workflow,
        members: u128,
    ) -> Step<Reply> {
        let same_name = known.name == new.name && known.idempotency == new.idempotency;
        if known.members != members || !same_name {
            return Err(Rejection::IdempotencyConflict {
                what: "workflow id".into(),
                existing: TaskId::from_u128(known.id.as_u128()),
            }
            .into());
        }
        match known.gate {
            Some(gate) if gate.state != GateState::Open => self.go_on(draft, known, gate),
            _ => Ok(Reply::Submitted {
                tasks: self.tasks.iter().map(|task| task.id).collect(),
                workflow: Some(new.id),
                existing: true,
            }),
        }
    }
}
