//! Timers.

use russet_core::{
    DependencyOn, Gate, GateState, Message, MessageId, Outbox, PartitionId, Record, RecordKey,
    Task, TimerKey, Timestamp, Workflow, WorkflowId,
};
use russet_engine::{Change, Due};

use crate::conformance::Factory;
use crate::conformance::fixtures::remove;
use crate::conformance::world::{FIRST, SECOND, World};

/// Each partition has its own; equal times come in any order.
pub async fn timers_are_due_earliest_first(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let mut expected = Vec::new();
    for at in [50, 10, 30, 30, 20, 99] {
        expected.push(timed(&world, FIRST, at).await);
    }
    let elsewhere = timed(&world, SECOND, 15).await;
    expected.sort();
    for (before, count) in [(98, 5), (99, 6), (30, 4), (9, 0)] {
        let mut due = world.due(FIRST, before, 100).await;
        assert!(due.is_sorted_by_key(|due| due.at));
        due.sort();
        assert_eq!(due, expected[..count]);
    }
    assert_eq!(world.due(SECOND, 98, 100).await, [elsewhere]);
}

/// The earliest are those that are returned.
pub async fn due_timers_are_bounded_by_the_limit(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let mut expected = Vec::new();
    for _ in 0..200 {
        let at = world.below(50);
        expected.push(timed(&world, FIRST, at).await);
    }
    expected.sort();
    for limit in [0, 1, 7, 199, 200, 201] {
        let due = world.due(FIRST, 1_000, limit).await;
        let times = due.iter().map(|due| due.at);
        assert!(times.eq(expected.iter().take(limit).map(|due| due.at)));
        assert!(due.iter().all(|due| expected.contains(due)));
    }
}

/// A record has one timer at most.
pub async fn a_timer_changes_and_goes_with_its_record(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let first = timed(&world, FIRST, 10).await;
    let TimerKey::Task(id) = first.timer else {
        panic!("expected a task's timer");
    };
    let at = |ms| Due {
        at: Timestamp::from_millis(ms),
        ..first
    };
    for ms in [40, 5, 20] {
        world.edit(id, |task| task.due_at = Some(at(ms).at)).await;
        assert_eq!(world.due(FIRST, 100, 10).await, [at(ms)]);
    }
    world.edit(id, |task| task.attempt += 1).await;
    assert_eq!(world.due(FIRST, 100, 10).await, [at(20)]);
    world.edit(id, |task| task.due_at = None).await;
    assert_eq!(world.due(FIRST, 100, 10).await, []);
    world.edit(id, |task| task.due_at = Some(at(7).at)).await;
    let before = world.load_task(id).await;
    let removal = remove(RecordKey::Task(id), before);
    world.change(FIRST, vec![removal]).await;
    assert_eq!(world.due(FIRST, 100, 10).await, []);
}

/// Outbox records are found by their timers, among those of tasks.
pub async fn messages_have_timers_too(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let (child, parent) = (world.task(FIRST), world.task(SECOND));
    let message = Message::Watch {
        parent: parent.id,
        child: child.id,
        on: DependencyOn::Success,
        life: None,
    };
    let id = MessageId::from_u128(message.id().as_u128());
    let outbox = |tries, at| {
        Record::Outbox(
            Outbox {
                message,
                tries,
                due_at: Timestamp::from_millis(at),
            }
            .into(),
        )
    };
    let early = timed(&world, FIRST, 10).await;
    let late = timed(&world, FIRST, 30).await;
    for (tries, at) in [(0, 20), (1, 25)] {
        let key = RecordKey::Outbox(id);
        let before = world.load(FIRST, &key).await;
        let after = Some(outbox(tries, at));
        let change = Change { key, before, after };
        world.change(FIRST, vec![change]).await;
        let due = Due {
            at: Timestamp::from_millis(at),
            timer: TimerKey::Outbox(id),
        };
        assert_eq!(world.due(FIRST, 100, 10).await, [early, due, late]);
    }
    let key = RecordKey::Outbox(id);
    let before = world.load(FIRST, &key).await;
    let removal = remove(key, before.expect("the message is there"));
    world.change(FIRST, vec![removal]).await;
    assert_eq!(world.due(FIRST, 100, 10).await, [early, late]);
}

/// Workflows are found by the timers of their gates, among those of tasks.
pub async fn workflows_behind_a_gate_have_timers_too(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let id = WorkflowId::from(world.task(FIRST).id);
    let early = timed(&world, FIRST, 10).await;
    let late = timed(&world, FIRST, 30).await;
    let key = RecordKey::Workflow(id);
    let gated = |at| Gate {
        state: GateState::Closed,
        records: 5,
        done: 2,
        outside: false,
        due_at: Timestamp::from_millis(at),
    };
    for gate in [Some(gated(20)), Some(gated(25)), None] {
        let workflow = Workflow {
            id,
            name: None,
            created_at: Timestamp::from_millis(1),
            completed_at: None,
            tasks: 5,
            succeeded: 0,
            dead: 0,
            cancelled: 0,
            not_needed: 0,
            purged: 0,
            idempotency: None,
            members: 7,
            gate,
        };
        let change = Change {
            key: key.clone(),
            before: world.load(FIRST, &key).await,
            after: Some(Record::Workflow(workflow.into())),
        };
        world.change(FIRST, vec![change]).await;
        let due = gate.map(|gate| Due {
            at: gate.due_at,
            timer: TimerKey::Workflow(id),
        });
        let expected: Vec<_> = [Some(early), due, Some(late)]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(world.due(FIRST, 100, 10).await, expected);
    }
}

async fn timed(world: &World, partition: PartitionId, at: u64) -> Due {
    let at = Timestamp::from_millis(at);
    let task = Task {
        due_at: Some(at),
        ..world.task(partition)
    };
    world.create(&task).await;
    Due {
        at,
        timer: TimerKey::Task(task.id),
    }
}
