//! Tasks in every state.

use bytes::Bytes;
use russet_core::{
    Dependencies, Dependency, DependencyOn, Dependents, ErrorKind, Idempotency, IfUnsatisfied,
    Lease, LeaseEnd, PartitionKey, Progress, Record, Resources, RetryPolicy, Status, Task,
    TaskError, TaskType, Timestamp, Window, WorkerId,
};

use super::Sample;
use super::parts::{at, far_task, key, lease, ms, queue, task, workflow};

pub fn samples() -> Vec<Sample> {
    let samples = [
        ("task-bare", bare()),
        ("task-blocked", blocked()),
        ("task-scheduled", scheduled()),
        ("task-queued", queued()),
        ("task-running", running()),
        ("task-succeeded", succeeded()),
        ("task-dead", dead()),
        ("task-cancelled", cancelled()),
        ("task-not-needed", not_needed()),
        ("task-many-edges", many_edges()),
    ];
    samples
        .map(|(name, task)| (name, Record::Task(task.into())))
        .into()
}

/// A task of which nothing is known that can be unknown.
fn bare() -> Task {
    Task {
        id: task(0),
        kind: TaskType::new("t").expect("is a name"),
        queue: queue(),
        payload: Bytes::new(),
        status: Status::Queued,
        priority: 0,
        rank: None,
        retry_count: 0,
        retry: RetryPolicy::default(),
        attempt: 0,
        created_at: Timestamp::ZERO,
        updated_at: Timestamp::ZERO,
        scheduled_at: None,
        ready_at: None,
        score: 0,
        started_at: None,
        completed_at: None,
        expires_at: None,
        due_at: None,
        purge_at: None,
        lease_duration: ms(0),
        timeout: None,
        retention: None,
        lease: None,
        dependencies: Dependencies::default(),
        if_unsatisfied: IfUnsatisfied::Cancel,
        dependents: Dependents::default(),
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

/// A task with every field filled.
fn full(status: Status, ended: Option<LeaseEnd>, error: ErrorKind) -> Task {
    let resource = |name: &str| name.parse().expect("is a name");
    Task {
        id: task(0x1234_5678_9abc_def0),
        kind: TaskType::new("mail.Send:v2_beta-1").expect("is a name"),
        queue: queue(),
        payload: Bytes::from_static(br#"{"to":"me"}"#),
        status,
        priority: 9,
        rank: Some(u16::MAX),
        retry_count: 3,
        retry: RetryPolicy {
            max_retries: 10_000,
            backoff: ms(250),
            backoff_cap: ms(60_000),
            jitter_percent: 100,
        },
        attempt: 1 << 40,
        created_at: at(0),
        updated_at: at(7),
        scheduled_at: Some(at(1)),
        ready_at: Some(at(2)),
        score: -1_000_000_000_000,
        started_at: Some(at(3)),
        completed_at: Some(at(7)),
        expires_at: Some(Timestamp::MAX),
        due_at: Some(at(8)),
        purge_at: Some(at(86_400_000)),
        lease_duration: ms(30_000),
        timeout: Some(ms(600_000)),
        retention: Some(ms(86_400_000)),
        lease: Some(Box::new(Lease {
            id: lease(),
            worker: WorkerId("worker-1 auf Ümläut".into()),
            expires_at: at(30_003),
            deadline: Some(at(600_003)),
            slot: true,
            ended,
        })),
        dependencies: Dependencies {
            pending: 1,
            total: 3,
            inline: [
                DependencyOn::Success,
                DependencyOn::Completion,
                DependencyOn::Failure,
            ]
            .map(|on| Dependency {
                task: far_task(on as u64),
                on,
            })
            .into(),
        },
        if_unsatisfied: IfUnsatisfied::Cancel,
        dependents: Dependents {
            total: 2,
            inline: [DependencyOn::Completion, DependencyOn::Failure]
                .map(|on| Dependency {
                    task: far_task(7 + on as u64),
                    on,
                })
                .into(),
            settled: 1,
            cleared: 1,
        },
        resources: [(resource("cpu"), 2), (resource("memory_mb"), 1 << 53)]
            .into_iter()
            .collect(),
        idempotency: Some(Box::new(Idempotency {
            key: key(),
            window: Window::For(ms(86_400_000)),
        })),
        partition_key: Some(Box::new(PartitionKey::new("customer 7").expect("is a key"))),
        workflow: Some(workflow()),
        metadata: Bytes::from_static(br#"{"name":"mail"}"#).into(),
        result: Some(Box::new(Bytes::from_static(b"[1.50]"))),
        last_error: Some(Box::new(TaskError {
            kind: error,
            message: "no route to hôst".to_owned(),
            attempt: 2,
            at: at(5),
        })),
        progress: Some(Box::new(Progress {
            percent: Some(100),
            message: Some("nearly there".to_owned()),
            checkpoint: Some(Bytes::from_static(b"{\"page\":4}")),
        })),
        cancel_requested: true,
        unsent: true,
        sends: 5,
        redriven_by: Some(u64::MAX),
    }
}

fn blocked() -> Task {
    full(
        Status::Blocked,
        Some(LeaseEnd::Released),
        ErrorKind::DependencyUnsatisfied,
    )
}

fn scheduled() -> Task {
    Task {
        if_unsatisfied: IfUnsatisfied::Run,
        idempotency: Some(Box::new(Idempotency {
            key: key(),
            window: Window::WhileLive,
        })),
        ..full(Status::Scheduled, Some(LeaseEnd::Failed), ErrorKind::Failed)
    }
}

fn queued() -> Task {
    full(
        Status::Queued,
        Some(LeaseEnd::Expired),
        ErrorKind::LeaseExpired,
    )
}

fn running() -> Task {
    full(Status::Running, None, ErrorKind::TimedOut)
}

fn succeeded() -> Task {
    Task {
        progress: Some(Box::default()),
        ..full(
            Status::Succeeded,
            Some(LeaseEnd::Completed),
            ErrorKind::Panicked,
        )
    }
}

fn dead() -> Task {
    Task {
        if_unsatisfied: IfUnsatisfied::Dead,
        ..full(Status::Dead, Some(LeaseEnd::Failed), ErrorKind::Final)
    }
}

fn cancelled() -> Task {
    full(
        Status::Cancelled,
        Some(LeaseEnd::Released),
        ErrorKind::Cancelled,
    )
}

fn not_needed() -> Task {
    full(Status::Cancelled, None, ErrorKind::NotNeeded)
}

/// Its dependencies stand in records of their own.
fn many_edges() -> Task {
    let mut task = full(Status::Blocked, None, ErrorKind::Expired);
    task.dependencies = Dependencies {
        pending: 10_000,
        total: 10_000,
        inline: [].into(),
    };
    task.dependents = Dependents {
        total: 100_000,
        inline: [].into(),
        settled: 0,
        cleared: 0,
    };
    task
}
