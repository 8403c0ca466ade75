//! Records to test and to measure with.

use std::sync::Arc;

use bytes::Bytes;
use russet_core::{
    Lane, Lease, LeaseId, Millis, QueueName, Record, RecordKey, ResourceName, Resources, Status,
    Task, TaskId, TaskType, Timestamp, WorkerId, WorkflowId,
};
use russet_engine::{Change, Versioned};

pub(super) fn queue_name(name: &str) -> QueueName {
    QueueName::new(name).expect("a queue name")
}

/// A lane without resources.
pub(super) fn lane(queue: &str) -> Lane {
    Lane {
        queue: queue_name(queue),
        resources: Resources::NONE,
    }
}

/// A lane of tasks that need so many processors.
pub(super) fn cpus(queue: &str, amount: u64) -> Lane {
    let cpu = ResourceName::new("cpu").expect("a resource name");
    Lane {
        queue: queue_name(queue),
        resources: Resources::from_iter([(cpu, amount)]),
    }
}

pub(super) fn lane_of(task: &Task) -> Lane {
    Lane {
        queue: task.queue.clone(),
        resources: task.resources.clone(),
    }
}

pub(super) fn create(task: &Task) -> Change {
    Change {
        key: RecordKey::Task(task.id),
        before: None,
        after: Some(Record::Task(Arc::new(task.clone()))),
    }
}

pub(super) fn replace(before: Versioned, task: &Task) -> Change {
    Change {
        before: Some(before),
        ..create(task)
    }
}

pub(super) fn remove(key: RecordKey, before: Versioned) -> Change {
    Change {
        key,
        before: Some(before),
        after: None,
    }
}

pub(super) fn task_of(record: &Record) -> Task {
    match record {
        Record::Task(task) => (**task).clone(),
        other => panic!("expected a task, not {other:?}"),
    }
}

/// What every other task has is large enough to be kept apart from what changes.
fn payload(id: TaskId) -> Bytes {
    let text = match id.as_u128() % 2 {
        0 => "you".to_owned(),
        _ => "everybody ".repeat(120),
    };
    Bytes::from(format!("{{\"to\":\"{text}\"}}"))
}

/// A task that became ready `now`, in the queue `emails`, and has nothing that it could do without.
pub fn queued(id: TaskId, now: Timestamp) -> Task {
    Task {
        id,
        kind: TaskType::new("send_email").expect("a task type"),
        queue: queue_name("emails"),
        payload: payload(id),
        status: Status::Queued,
        priority: 4,
        rank: None,
        retry_count: 0,
        retry: Default::default(),
        attempt: 0,
        created_at: now,
        updated_at: now,
        scheduled_at: None,
        ready_at: Some(now),
        score: 0,
        started_at: None,
        completed_at: None,
        expires_at: None,
        due_at: None,
        purge_at: None,
        lease_duration: Millis::from_secs(30),
        timeout: None,
        retention: None,
        lease: None,
        dependencies: Default::default(),
        if_unsatisfied: Default::default(),
        dependents: Default::default(),
        resources: Resources::NONE,
        idempotency: None,
        partition_key: None,
        workflow: None,
        metadata: Bytes::new().into(),
        result: None,
        last_error: None,
        progress: None,
        cancel_requested: false,
        unsent: false,
        sends: 0,
        redriven_by: None,
    }
}

/// The same task while it is running.
pub(crate) fn running(id: TaskId, now: Timestamp) -> Task {
    Task {
        status: Status::Running,
        attempt: 1,
        lease: Some(Box::new(Lease {
            id: LeaseId::from_u128(7),
            worker: WorkerId("worker-1".into()),
            expires_at: now,
            deadline: None,
            slot: false,
            ended: None,
        })),
        ..queued(id, now)
    }
}

/// The id of a workflow that begins with this task.
pub(super) fn workflow_of(task: &Task) -> WorkflowId {
    WorkflowId::from(task.id)
}
