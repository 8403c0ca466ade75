//! What a store is that is its own queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use russet_core::{PartitionId, Status, Task, TaskId};
use russet_engine::Outcome;

use crate::conformance::Factory;
use crate::conformance::fixtures::{create, lane, replace, task_of};
use crate::conformance::model::{Model, lanes};
use crate::conformance::world::{FIRST, World};

/// Nothing is sent, and whoever waits is woken.
pub async fn a_commit_announces_what_it_makes_ready(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    assert!(world.queue.is_fused());
    let lanes = [lane("emails")];
    let task = world.task(FIRST);
    world.create(&task).await;
    assert_eq!(world.drain(&lanes).await, []);
    world.edit(task.id, |t| t.status = Status::Queued).await;
    assert_eq!(world.drain(&lanes).await, [task.id]);
}

/// Nothing of a transaction that did not happen is delivered.
pub async fn a_conflict_announces_nothing(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let (known, fresh) = (world.task(FIRST), world.ready(FIRST, &lanes[0], 1));
    world.create(&known).await;
    let stale = world.load_task(known.id).await;
    world.edit(known.id, |task| task.attempt = 2).await;
    let ready = Task {
        status: Status::Queued,
        ..known
    };
    let changes = vec![create(&fresh), replace(stale, &ready)];
    assert_eq!(world.try_change(FIRST, changes).await, Outcome::Conflict);
    assert_eq!(world.drain(&lanes).await, []);
}

/// A task that was started or cancelled elsewhere is not delivered any more.
pub async fn a_commit_takes_back_what_is_no_longer_ready(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let tasks: Vec<_> = (0..3).map(|n| world.ready(FIRST, &lanes[0], n)).collect();
    world.announce(&tasks).await;
    world
        .edit(tasks[1].id, |t| t.status = Status::Cancelled)
        .await;
    assert_eq!(world.depth(&lanes[0]).await.visible, 2);
    assert_eq!(world.drain(&lanes).await, [tasks[0].id, tasks[2].id]);
}

/// A delivery that led to a lease leaves nothing behind that would come back.
pub async fn a_commit_takes_back_what_is_hidden(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (lanes, short) = ([lane("emails")], world.timing.short);
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let received = world.receive_for(&lanes, 1, short, Duration::ZERO).await;
    assert_eq!(received.len(), 1);
    world.edit(task.id, |t| t.status = Status::Running).await;
    let depth = world.depth(&lanes[0]).await;
    assert_eq!((depth.visible, depth.hidden), (0, 0));
    assert_eq!(world.receive(&lanes, 1, short * 2).await, []);
}

/// Whoever received a task finds the commit that announced it, also while others commit.
pub async fn a_delivered_task_is_loaded_as_ready(factory: &dyn Factory) {
    const TASKS: usize = 60;
    let world = Arc::new(World::new(factory, 2).await);
    let left = Arc::new(AtomicUsize::new(TASKS));
    let receivers = (0..4).map(|_| {
        let (world, left) = (world.clone(), left.clone());
        tokio::spawn(async move { start_all(&world, &left).await })
    });
    let receivers: Vec<_> = receivers.collect();
    let submit = async {
        for n in 0..TASKS {
            let task = world.ready(PartitionId((n % 2) as u16), &lane("emails"), n as i64);
            world.create(&task).await;
        }
    };
    let (receivers, ()) = futures::join!(join_all(receivers), submit);
    let started = receivers.into_iter().map(|r| r.expect("a receiver ends"));
    let mut started: Vec<TaskId> = started.flatten().collect();
    started.sort();
    started.dedup();
    assert_eq!(started.len(), TASKS);
}

/// Starts what is delivered until nothing is left.
async fn start_all(world: &World, left: &AtomicUsize) -> Vec<TaskId> {
    let mut started = Vec::new();
    let mut heard = world.clock.now();
    while left.load(Ordering::Relaxed) > 0 {
        let lanes = [lane("emails")];
        let deliveries = world.receive(&lanes, 3, world.timing.short).await;
        if deliveries.is_empty() {
            let silent = Duration::from(world.clock.now().since(heard));
            assert!(silent < world.timing.late, "{left:?} tasks do not come");
            continue;
        }
        heard = world.clock.now();
        left.fetch_sub(deliveries.len(), Ordering::Relaxed);
        for delivery in deliveries {
            let loaded = world.load_task(delivery.task).await;
            assert_eq!(task_of(&loaded.record).status, Status::Queued);
            world
                .edit(delivery.task, |t| t.status = Status::Running)
                .await;
            started.push(delivery.task);
        }
    }
    started
}

/// The task was received, started, and became ready again: the first receipt is void.
pub async fn a_stale_receipt_leaves_a_newer_delivery_alone(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let first = world.receive(&lanes, 1, Duration::ZERO).await;
    world.edit(task.id, |t| t.status = Status::Running).await;
    world.edit(task.id, |t| t.status = Status::Queued).await;
    let second = world.receive(&lanes, 1, Duration::ZERO).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    let stale = vec![first[0].receipt.clone()];
    let deleted = world.queue.delete(stale.clone()).await;
    deleted.expect("the queue deletes");
    world.release(stale, Duration::ZERO).await;
    assert_eq!(world.receive(&lanes, 1, Duration::ZERO).await, []);
    let depth = world.depth(&lanes[0]).await;
    assert_eq!((depth.visible, depth.hidden), (0, 1));
}

/// It is delivered once, from where it is now.
pub async fn a_task_moves_with_its_score_and_its_lane(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (from, to) = (lane("emails"), lane("renders"));
    let tasks: Vec<_> = (0..3).map(|n| world.ready(FIRST, &from, n)).collect();
    world.announce(&tasks).await;
    world.edit(tasks[2].id, |task| task.score = -5).await;
    world
        .edit(tasks[1].id, |task| task.queue = to.queue.clone())
        .await;
    assert_eq!(world.drain(&[from]).await, [tasks[2].id, tasks[0].id]);
    assert_eq!(world.drain(&[to]).await, [tasks[1].id]);
}

/// After random batches, the lanes hold what the records say and nothing else.
pub async fn exactly_the_ready_tasks_are_delivered(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let mut model = Model::default();
    for _ in 0..6 {
        model.disturb(&world, 25).await;
        for lane in lanes() {
            let ready = model.ready(&lane);
            assert_eq!(world.depth(&lane).await.visible, ready.len() as u64);
            let drained = world.drain(std::slice::from_ref(&lane)).await;
            assert!(drained.iter().eq(ready.iter().map(|(_, task)| task)));
            let give_back = drained.len() as u64;
            assert_eq!(world.depth(&lane).await.hidden, give_back);
        }
        model = restart(&world).await;
    }
}

/// Takes all tasks away, so that the next round starts with nothing hidden.
async fn restart(world: &World) -> Model {
    let listing = russet_engine::Listing {
        limit: 100,
        ..Default::default()
    };
    for id in world.list(&listing).await {
        let before = world.load_task(id).await;
        let key = russet_core::RecordKey::Task(id);
        let removal = crate::conformance::fixtures::remove(key, before);
        world.change(id.partition(), vec![removal]).await;
    }
    Model::default()
}
