//! The records beside tasks.

use russet_core::{
    Dedup, Dependency, DependencyOn, End, Gate, GateState, Idempotency, Label, Leader, Message,
    Named, Outbox, QueueConfig, QueueRecord, Record, RecordKey, TaskId, Window, Workflow,
};

use super::Sample;
use super::parts::{at, far_task, key, ms, node, queue, task, workflow};

pub fn samples() -> Vec<Sample> {
    vec![
        ("dependencies", Record::Dependencies(edges(far_task).into())),
        ("dependencies-none", Record::Dependencies(Vec::new().into())),
        ("dependents", Record::Dependents(edges(task).into())),
        (
            "waits",
            Record::Waits(Dependency {
                task: far_task(1),
                on: DependencyOn::Failure,
            }),
        ),
        (
            "dedup-task",
            dedup(Named::Task(task(1)), Window::For(ms(5))),
        ),
        (
            "dedup-workflow",
            dedup(Named::Workflow(workflow()), Window::WhileLive),
        ),
        ("workflow-live", Record::Workflow(live().into())),
        ("workflow-closed", behind(GateState::Closed)),
        ("workflow-open", behind(GateState::Open)),
        ("workflow-given-up", behind(GateState::GivenUp)),
        ("gated", gated()),
        ("workflow-ended", Record::Workflow(ended().into())),
        ("queue-default", queue_record(QueueConfig::default(), 0)),
        ("queue-limited", queue_record(limited(), 17)),
        ("outbox-watch", outbox(watch())),
        ("outbox-settled", outbox(settled(Some(End::Succeeded)))),
        ("outbox-settled-dead", outbox(settled(Some(End::Dead)))),
        (
            "outbox-settled-cancelled",
            outbox(settled(Some(End::Cancelled))),
        ),
        (
            "outbox-settled-not-needed",
            outbox(settled(Some(End::NotNeeded))),
        ),
        ("outbox-settled-unknown", outbox(settled(None))),
        ("outbox-ask", outbox(ask())),
        ("leader", leader()),
    ]
}

/// A full chunk.
fn edges(task: fn(u64) -> TaskId) -> Vec<Dependency> {
    let on = [
        DependencyOn::Success,
        DependencyOn::Completion,
        DependencyOn::Failure,
    ];
    let edge = |(at, on)| Dependency { task: task(at), on };
    (0..128).zip(on.into_iter().cycle()).map(edge).collect()
}

fn dedup(named: Named, window: Window) -> Record {
    Record::Dedup(
        Dedup {
            named,
            request: u128::MAX - 1,
            window,
            created_at: at(0),
        }
        .into(),
    )
}

fn live() -> Workflow {
    Workflow {
        id: workflow(),
        name: None,
        created_at: at(0),
        completed_at: None,
        tasks: 10_000,
        succeeded: 1,
        dead: 0,
        cancelled: 0,
        not_needed: 0,
        purged: 0,
        idempotency: None,
        members: 0,
        gate: None,
    }
}

fn ended() -> Workflow {
    Workflow {
        id: workflow(),
        name: Some(Label::new("nightly report").expect("is a label")),
        created_at: at(0),
        completed_at: Some(at(9)),
        tasks: 6,
        succeeded: 3,
        dead: 2,
        cancelled: 1,
        not_needed: 1,
        purged: 4,
        idempotency: Some(Idempotency {
            key: key(),
            window: Window::For(ms(1)),
        }),
        members: u128::MAX,
        gate: None,
    }
}

fn behind(state: GateState) -> Record {
    let gate = Gate {
        state,
        records: 10_089,
        done: 128,
        outside: state == GateState::Open,
        due_at: at(30_000),
    };
    let workflow = Workflow {
        gate: Some(gate),
        ..live()
    };
    Record::Workflow(workflow.into())
}

/// A list of what a gate holds, one of each kind.
fn gated() -> Record {
    let keys = vec![
        RecordKey::Dependencies(task(1), 9),
        RecordKey::Dependents(task(1), 78),
        RecordKey::Task(task(1)),
    ];
    Record::Gated(keys.into())
}

fn limited() -> QueueConfig {
    QueueConfig {
        paused: true,
        concurrency: Some(1_000_000),
        aging: ms(1),
        keep_finished: ms(0),
        keep_dead: ms(315_360_000_000),
    }
}

fn queue_record(config: QueueConfig, running: u32) -> Record {
    Record::Queue(
        QueueRecord {
            name: queue(),
            config,
            running,
            updated_at: at(4),
        }
        .into(),
    )
}

fn watch() -> Message {
    Message::Watch {
        parent: far_task(1),
        child: task(2),
        on: DependencyOn::Completion,
        life: None,
    }
}

fn ask() -> Message {
    Message::Ask {
        parent: far_task(1),
        child: task(2),
        life: Some(u64::MAX),
    }
}

fn settled(end: Option<End>) -> Message {
    Message::Settled {
        parent: far_task(1),
        child: task(2),
        end,
        life: None,
    }
}

fn outbox(message: Message) -> Record {
    Record::Outbox(
        Outbox {
            message,
            tries: 3,
            due_at: at(1_000),
        }
        .into(),
    )
}

fn leader() -> Record {
    Record::Leader(Leader {
        holder: node(),
        epoch: 300,
        expires_at: at(15_000),
    })
}
