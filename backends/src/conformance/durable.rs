//! What survives, when a store promises that something does.

use std::time::Duration;

use russet_core::{PartitionId, RecordKey, Status, Timestamp};
use russet_engine::Outcome;

use crate::conformance::Durable;
use crate::conformance::fixtures::{create, lane, remove, replace};
use crate::conformance::model::{Model, lanes};
use crate::conformance::world::{FIRST, World};

/// Compare and swap goes on as if nothing had happened.
pub async fn records_and_versions_survive(factory: &dyn Durable) {
    let world = World::new(factory, 2).await;
    let task = world.task(PartitionId(1));
    world.create(&task).await;
    let stale = world.load_task(task.id).await;
    world.edit(task.id, |task| task.attempt = 2).await;
    let current = world.load_task(task.id).await;

    let world = reopen(factory, world).await;
    assert_eq!(world.store.partitions(), 2);
    assert_eq!(world.load_task(task.id).await, current);
    let partition = task.id.partition();
    for changes in [vec![replace(stale, &task)], vec![create(&task)]] {
        let outcome = world.try_change(partition, changes).await;
        assert_eq!(outcome, Outcome::Conflict);
    }
    world.change(partition, vec![replace(current, &task)]).await;
}

/// And can be made again.
pub async fn what_was_removed_stays_removed(factory: &dyn Durable) {
    let world = World::new(factory, 1).await;
    let task = world.ready(FIRST, &lane("emails"), 1);
    let key = RecordKey::Task(task.id);
    world.create(&task).await;
    let before = world.load_task(task.id).await;
    world.change(FIRST, vec![remove(key.clone(), before)]).await;

    let world = reopen(factory, world).await;
    assert_eq!(world.load(FIRST, &key).await, None);
    assert_eq!(world.stats().await.queues, []);
    assert_eq!(
        world.receive(&[lane("emails")], 1, Duration::ZERO).await,
        []
    );
    world.create(&task).await;
}

/// Timers, listings and counters, after random batches.
pub async fn indexes_are_the_same_after_opening_again(factory: &dyn Durable) {
    let mut world = World::new(factory, 2).await;
    let mut model = Model::default();
    for _ in 0..4 {
        model.disturb(&world, 30).await;
        let stats = world.stats().await;
        world = reopen(factory, world).await;
        model.check(&world).await;
        assert_eq!(world.stats().await, stats);
    }
}

/// In order, and those too that were hidden before.
pub async fn ready_tasks_are_delivered_after_opening_again(factory: &dyn Durable) {
    let world = World::new(factory, 2).await;
    let mut model = Model::default();
    model.disturb(&world, 60).await;
    let task = world.ready(FIRST, &lane("hidden"), 1);
    world.create(&task).await;
    let hidden = world.receive(&[lane("hidden")], 1, Duration::ZERO).await;
    let blocked = world.ready(FIRST, &lane("hidden"), 2);
    world.create(&blocked).await;
    world
        .edit(blocked.id, |task| {
            task.status = Status::Blocked;
            task.due_at = Some(Timestamp::ZERO);
        })
        .await;
    assert_eq!(hidden.len(), usize::from(world.queue.is_fused()));

    let world = reopen(factory, world).await;
    if !world.queue.is_fused() {
        return;
    }
    for lane in lanes() {
        let ready = model.ready(&lane);
        let drained = world.drain(std::slice::from_ref(&lane)).await;
        assert!(drained.iter().eq(ready.iter().map(|(_, task)| task)));
    }
    assert_eq!(world.drain(&[lane("hidden")]).await, [task.id]);
}

async fn reopen(factory: &dyn Durable, world: World) -> World {
    let (backend, drawn) = world.into_backend();
    World::of(factory, factory.reopen(backend).await, drawn)
}
