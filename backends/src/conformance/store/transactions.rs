//! Atomicity, independence and concurrency.

use std::sync::Arc;

use futures::future::join_all;
use russet_core::{
    PartitionId, QueueConfig, QueueRecord, Record, RecordKey, Status, Task, Timestamp,
};
use russet_engine::{Change, Listing, Outcome};

use crate::conformance::Factory;
use crate::conformance::fixtures::{create, lane, queue_name, replace, task_of};
use crate::conformance::world::{FIRST, World};

/// One record that is not what was expected, and nothing of the transaction happens:
/// no record, no index, no counter changes.
pub async fn a_transaction_is_all_or_nothing(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (known, fresh) = (world.task(FIRST), world.ready(FIRST, &lane("emails"), 1));
    world.create(&known).await;
    let stale = world.load_task(known.id).await;
    world.edit(known.id, |task| task.attempt = 2).await;
    let current = world.load_task(known.id).await;
    let stats = world.stats().await;

    let fresh = Task {
        due_at: Some(Timestamp::from_millis(5)),
        ..fresh
    };
    for changes in [
        vec![create(&fresh), replace(stale.clone(), &known)],
        vec![replace(stale.clone(), &known), create(&fresh)],
    ] {
        assert_eq!(world.try_change(FIRST, changes).await, Outcome::Conflict);
    }
    let key = RecordKey::Task(fresh.id);
    assert_eq!(world.load(FIRST, &key).await, None);
    assert_eq!(world.load_task(known.id).await, current);
    assert_eq!(world.due(FIRST, 10, 10).await, []);
    assert_eq!(world.stats().await, stats);
    let listing = Listing {
        limit: 10,
        ..Listing::default()
    };
    assert_eq!(world.list(&listing).await, [known.id]);
}

/// What the store says that it changes at once, it does.
pub async fn a_transaction_of_the_largest_size_is_committed(factory: &dyn Factory) {
    const ENOUGH: usize = 5_000;
    let world = World::new(factory, 1).await;
    let most = world.store.limits().transaction.changes.min(ENOUGH);
    let tasks = (0..most).map(|n| world.ready(FIRST, &lane("emails"), n as i64));
    let tasks: Vec<Task> = tasks.collect();
    world
        .change(FIRST, tasks.iter().map(create).collect())
        .await;
    let keys: Vec<_> = tasks.iter().map(|task| RecordKey::Task(task.id)).collect();
    let known = world
        .store
        .get(FIRST, &keys)
        .await
        .expect("the store reads");
    let changed = tasks.iter().zip(known).map(|(task, known)| {
        let status = Status::Running;
        let task = Task {
            status,
            ..task.clone()
        };
        replace(known.expect("it was created"), &task)
    });
    world.change(FIRST, changed.collect()).await;
    let stats = world.stats().await;
    let counted: Vec<_> = stats
        .queues
        .iter()
        .map(|q| q.count(Status::Running))
        .collect();
    assert_eq!(counted, [most as u64]);
}

/// A conflict concerns its own transaction only.
pub async fn transactions_of_a_batch_are_independent(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let tasks: Vec<Task> = (0..4).map(|_| world.task(FIRST)).collect();
    world.create(&tasks[1]).await;
    let batch = tasks.iter().map(|t| world.transaction(vec![create(t)]));
    let outcomes = world.commit(FIRST, batch.collect()).await;
    let (done, conflict) = (Outcome::Committed, Outcome::Conflict);
    assert_eq!(outcomes, [done, conflict, done, done]);
    for task in &tasks {
        assert_eq!(task_of(&world.load_task(task.id).await.record), *task);
    }
}

/// Also when both come in one batch.
pub async fn of_two_transactions_on_one_record_one_wins(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let task = world.task(FIRST);
    world.create(&task).await;
    let before = world.load_task(task.id).await;
    let attempt = |attempt| Task {
        attempt,
        ..task.clone()
    };
    let batch = [11, 12].map(|n| world.transaction(vec![replace(before.clone(), &attempt(n))]));
    let outcomes = world.commit(FIRST, batch.into()).await;
    let winner = match outcomes.as_slice() {
        [Outcome::Committed, Outcome::Conflict] => 11,
        [Outcome::Conflict, Outcome::Committed] => 12,
        other => panic!("expected one winner, not {other:?}"),
    };
    let loaded = world.load_task(task.id).await;
    assert_eq!(task_of(&loaded.record).attempt, winner);
}

/// Neither no transactions nor a transaction without changes is an error.
pub async fn a_batch_may_be_empty(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    assert_eq!(world.commit(FIRST, Vec::new()).await, []);
    let empty = world.transaction(Vec::new());
    assert_eq!(world.commit(FIRST, vec![empty]).await, [Outcome::Committed]);
}

/// However many try at once.
pub async fn of_many_writers_of_one_record_exactly_one_wins(factory: &dyn Factory) {
    const WRITERS: u64 = 32;
    let world = Arc::new(World::new(factory, 1).await);
    for _ in 0..5 {
        let task = world.task(FIRST);
        world.create(&task).await;
        let before = world.load_task(task.id).await;
        let writers = (0..WRITERS).map(|attempt| {
            let (world, before) = (world.clone(), before.clone());
            let after = Task {
                attempt,
                ..task.clone()
            };
            tokio::spawn(async move {
                let outcome = world.try_change(FIRST, vec![replace(before, &after)]).await;
                (outcome == Outcome::Committed).then_some(attempt)
            })
        });
        let winners = join_all(writers).await.into_iter();
        let winners: Vec<u64> = winners
            .filter_map(|writer| writer.expect("a writer finishes"))
            .collect();
        let loaded = world.load_task(task.id).await;
        assert_eq!(winners, [task_of(&loaded.record).attempt]);
    }
}

/// Writers that load, change and commit until they succeed count up without a gap, and two
/// partitions do not get in each other's way.
pub async fn no_update_is_lost_among_many_writers(factory: &dyn Factory) {
    const WRITERS: u32 = 8;
    const TIMES: u32 = 10;
    let world = Arc::new(World::new(factory, 2).await);
    let writers = (0..WRITERS).map(|writer| {
        let (world, partition) = (world.clone(), PartitionId((writer % 2) as u16));
        tokio::spawn(async move {
            for _ in 0..TIMES {
                count_up(&world, partition).await;
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("a writer finishes");
    }
    for partition in [0, 1] {
        let counter = world.load(PartitionId(partition), &counter_key()).await;
        let counter = counter.map(|known| running(&known.record));
        assert_eq!(counter, Some(WRITERS / 2 * TIMES));
    }
}

async fn count_up(world: &World, partition: PartitionId) {
    loop {
        let before = world.load(partition, &counter_key()).await;
        let count = before.as_ref().map_or(0, |known| running(&known.record));
        let after = Record::Queue(
            QueueRecord {
                name: queue_name("counter"),
                config: QueueConfig::default(),
                running: count + 1,
                updated_at: Timestamp::ZERO,
            }
            .into(),
        );
        let change = Change {
            key: counter_key(),
            before,
            after: Some(after),
        };
        if world.try_change(partition, vec![change]).await == Outcome::Committed {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn counter_key() -> RecordKey {
    RecordKey::Queue(queue_name("counter"))
}

fn running(record: &Record) -> u32 {
    match record {
        Record::Queue(queue) => queue.running,
        other => panic!("expected a queue, not {other:?}"),
    }
}
