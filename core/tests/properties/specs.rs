//! What is submitted: few of everything, so that it meets again.

use russet_core::command::{Submit, When};
use russet_core::{
    Dependency, DependencyOn, Idempotency, IdempotencyKey, IfUnsatisfied, Millis, NewTask,
    PartitionId, QueueName, ResourceName, Resources, RetryPolicy, TaskId, TaskType, Timestamp,
    TransactionLimit, Window, WorkflowId,
};

use crate::commands::Dice;
use crate::harness::World;

/// So few records, or bytes, at once that a command other than the submission of a workflow always
/// fits.
pub const FEW_CHANGES: TransactionLimit = TransactionLimit {
    changes: 24,
    ..TransactionLimit::NONE
};
pub const FEW_BYTES: TransactionLimit = TransactionLimit {
    bytes: 40_000,
    ..TransactionLimit::NONE
};

pub fn id(world: &mut World, partition: usize) -> TaskId {
    let serial = world.next_serial();
    let partition = u16::try_from(partition).expect("a small number");
    TaskId::new(Timestamp::from_millis(serial), PartitionId(partition), 0)
}

pub fn queue(byte: u8) -> QueueName {
    QueueName::new(["mail", "video"][usize::from(byte % 2)]).expect("a name")
}

pub fn on(byte: u8) -> DependencyOn {
    let all = [
        DependencyOn::Success,
        DependencyOn::Completion,
        DependencyOn::Failure,
    ];
    all[usize::from(byte) % all.len()]
}

pub fn task(dice: &mut Dice<'_>, world: &mut World, partition: usize) -> NewTask {
    let (shape, times, length) = (dice.byte(), dice.byte(), dice.byte());
    let kind = TaskType::new("work").expect("a name");
    let id = id(world, partition);
    let mut task = NewTask::new(
        id,
        kind,
        queue(shape),
        bytes::Bytes::from_static(b"payload"),
    );
    task.priority = [None, Some(0), Some(4), Some(9)][usize::from(shape / 2 % 4)];
    task.retry = RetryPolicy {
        max_retries: u32::from(shape / 8 % 4),
        backoff: Millis::new([0, 10, 1_000, 3_000][usize::from(shape / 32 % 4)]),
        backoff_cap: Millis::new(5_000),
        jitter_percent: 0,
    };
    if shape / 128 == 1 {
        let gpu = ResourceName::new("gpu").expect("a name");
        task.resources = Resources::from_iter([(gpu, 1)]);
    }
    let now = world.now;
    task.start = match times % 8 {
        4 => Some(When::In(Millis::ZERO)),
        5 => Some(When::In(Millis::new(500))),
        6 => Some(When::At(now + Millis::from_secs(2))),
        7 => Some(When::At(now - Millis::new(100))),
        _ => None,
    };
    task.expires = match times / 8 % 8 {
        5 => Some(When::In(Millis::from_secs(1))),
        6 => Some(When::In(Millis::from_secs(60))),
        7 => Some(When::At(now)),
        _ => None,
    };
    task.if_unsatisfied = [
        IfUnsatisfied::Cancel,
        IfUnsatisfied::Dead,
        IfUnsatisfied::Run,
        IfUnsatisfied::Cancel,
    ][usize::from(times / 64)];
    task.lease_duration = Millis::new([30_000, 100, 1_000, 30_000][usize::from(length % 4)]);
    let timeouts = [None, None, Some(Millis::new(500)), Some(Millis::new(5_000))];
    task.timeout = timeouts[usize::from(length / 4 % 4)];
    let kept = [None, None, Some(Millis::ZERO), Some(Millis::from_secs(10))];
    task.retention = kept[usize::from(length / 16 % 4)];
    task.idempotency = key(dice);
    task.dependencies = dependencies(dice, world);
    task
}

pub fn key(dice: &mut Dice<'_>) -> Option<Idempotency> {
    let byte = dice.byte();
    (byte % 8 >= 5).then(|| Idempotency {
        key: IdempotencyKey::new(["first", "second"][usize::from(byte / 8 % 2)]).expect("a key"),
        window: match byte / 16 % 3 {
            0 => Window::WhileLive,
            1 => Window::For(Millis::new(800)),
            _ => Window::For(Millis::from_secs(30)),
        },
    })
}

/// Mostly on tasks that exist, in any partition; sometimes on one that never will.
fn dependencies(dice: &mut Dice<'_>, world: &World) -> Vec<Dependency> {
    let shape = dice.byte();
    let count = [0, 0, 1, 2][usize::from(shape % 4)];
    let edges = (0..count).map(|at| Dependency {
        task: dice.task(world),
        on: on(shape / 4 + at),
    });
    edges.collect()
}

/// Adds dependencies among the tasks of one command: a chain, a fan, a circle, or a child of
/// two that ask for the same.
pub fn connect(tasks: &mut [NewTask], shape: u8) {
    if shape % 8 == 7 {
        tasks[1] = NewTask {
            id: tasks[1].id,
            ..tasks[0].clone()
        };
    }
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let (first, last) = (ids[0], ids[ids.len() - 1]);
    let mut edge = |child: usize, parent: TaskId| {
        if tasks[child]
            .dependencies
            .iter()
            .all(|known| known.task != parent)
        {
            tasks[child].dependencies.push(Dependency {
                task: parent,
                on: on(shape / 8),
            });
        }
    };
    match shape % 8 {
        0..3 => (1..ids.len()).for_each(|at| edge(at, ids[at - 1])),
        3..5 => (1..ids.len()).for_each(|at| edge(at, first)),
        5 => (0..ids.len() - 1).for_each(|at| edge(at, last)),
        6 => (0..ids.len()).for_each(|at| edge(at, ids[(at + 1) % ids.len()])),
        _ => (0..ids.len() - 1).for_each(|at| edge(ids.len() - 1, ids[at])),
    }
}

/// Another request under the same id.
pub fn change(task: &mut NewTask, what: u8) {
    match what % 12 {
        0 => task.payload = bytes::Bytes::from_static(b"other"),
        1 => task.priority = Some(task.priority.unwrap_or(4)),
        2 => task.priority = Some(7),
        3 => task.retry.max_retries += 1,
        4 => task.start = Some(When::In(Millis::new(500))),
        5 => task.expires = Some(When::In(Millis::from_secs(60))),
        6 => task.lease_duration = Millis::new(700),
        7 => task.retention = Some(Millis::from_secs(7)),
        8 => task.if_unsatisfied = IfUnsatisfied::Run,
        9 => drop(task.dependencies.pop()),
        10 => task.dependencies.reverse(),
        _ => task.expected = Some(Millis::from_secs(1)),
    }
}

/// The same request under new ids, as a client asks again that has forgotten the first ones.
pub fn rename(submit: &mut Submit, world: &mut World, partition: usize, workflow_too: bool) {
    let old: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
    let new: Vec<_> = old.iter().map(|_| id(world, partition)).collect();
    for (at, task) in submit.tasks.iter_mut().enumerate() {
        task.id = new[at];
        for edge in &mut task.dependencies {
            if let Some(at) = old.iter().position(|id| *id == edge.task) {
                edge.task = new[at];
            }
        }
    }
    if let Some(workflow) = submit.workflow.as_mut().filter(|_| workflow_too) {
        workflow.id = WorkflowId::from(id(world, partition));
    }
}
