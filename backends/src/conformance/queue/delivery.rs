//! Deliveries, their visibility and how they are settled.

use std::time::Duration;

use russet_core::{Resources, TaskId};
use russet_engine::{Delivery, Receipt};

use crate::conformance::Factory;
use crate::conformance::fixtures::lane;
use crate::conformance::world::{FIRST, LONG, SECOND, World};

/// The lane comes back as it was, resources included.
pub async fn a_task_is_delivered_with_its_lane(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let mut gpu = lane("renders");
    let amounts = [("gpu", 1), ("memory_mb", 512)];
    gpu.resources = Resources::from_iter(amounts.map(|(name, amount)| {
        let name = russet_core::ResourceName::new(name);
        (name.expect("a resource name"), amount)
    }));
    let task = world.ready(SECOND, &gpu, 5);
    world.announce(std::slice::from_ref(&task)).await;
    let lanes = [gpu];
    let received = world.receive(&lanes, 10, world.timing.late).await;
    let [delivery] = received.as_slice() else {
        panic!("expected one delivery, not {received:?}");
    };
    assert_eq!(delivery.task, task.id);
    assert_eq!(delivery.lane, lanes[0]);
}

/// What does not fit stays for the next one.
pub async fn at_most_max_are_delivered(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let tasks: Vec<_> = (0..5).map(|n| world.ready(FIRST, &lanes[0], n)).collect();
    world.announce(&tasks).await;
    let mut received = ids(&world.receive(&lanes, 2, world.timing.late).await);
    assert!((1..=2).contains(&received.len()));
    while received.len() < 5 {
        let more = ids(&world.receive(&lanes, 3, world.timing.late).await);
        assert!((1..=3).contains(&more.len()));
        received.extend(more);
    }
    received.sort();
    assert!(received.iter().eq(tasks.iter().map(|task| &task.id)));
}

/// Nobody else gets it before, and somebody gets it after.
pub async fn a_delivery_is_hidden_until_its_visibility_is_over(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (lanes, short) = ([lane("emails")], world.timing.short);
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let start = world.clock.now();
    let first = world.receive_for(&lanes, 1, short, world.timing.late).await;
    assert_eq!(ids(&first), [task.id]);
    let second = world.receive(&lanes, 1, short + world.timing.late).await;
    assert_eq!(ids(&second), [task.id]);
    assert!(Duration::from(world.clock.now().since(start)) >= short);
}

/// Not even when its visibility is over.
pub async fn a_settled_delivery_does_not_come_again(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (lanes, short) = ([lane("emails")], world.timing.short);
    let tasks: Vec<_> = (0..4).map(|n| world.ready(FIRST, &lanes[0], n)).collect();
    world.announce(&tasks).await;
    let mut settled = 0;
    while settled < 4 {
        let received = world.receive_for(&lanes, 4, short, world.timing.late).await;
        settled += received.len();
        world.settle(received).await;
    }
    assert_eq!(settled, 4);
    assert_eq!(world.receive(&lanes, 4, short * 2).await, []);
}

/// Without waiting for its visibility.
pub async fn a_released_delivery_comes_again_at_once(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let start = world.clock.now();
    let first = world.receive(&lanes, 1, world.timing.late).await;
    world.release(receipts(first), Duration::ZERO).await;
    let second = world.receive(&lanes, 1, world.timing.late).await;
    assert_eq!(ids(&second), [task.id]);
    assert!(Duration::from(world.clock.now().since(start)) < LONG / 2);
}

/// Not before, and not much later.
pub async fn a_released_delivery_comes_again_after_its_delay(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let (lanes, short) = ([lane("emails")], world.timing.short);
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let first = world.receive(&lanes, 1, world.timing.late).await;
    let start = world.clock.now();
    world.release(receipts(first), short).await;
    let second = world.receive(&lanes, 1, short + world.timing.late).await;
    assert_eq!(ids(&second), [task.id]);
    assert!(Duration::from(world.clock.now().since(start)) >= short);
}

/// Receipts that the queue never gave out, or that are settled, are no error.
pub async fn receipts_of_nobody_are_ignored(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let received = world.receive(&lanes, 1, world.timing.late).await;
    let mut used = receipts(received.clone());
    world.settle(received).await;
    used.extend([Receipt(Vec::new()), Receipt(vec![0xff; 24])]);
    world.release(used.clone(), Duration::ZERO).await;
    let deleted = world.queue.delete(used).await;
    deleted.expect("the queue ignores them");
    assert_eq!(world.receive(&lanes, 1, Duration::ZERO).await, []);
}

/// Also when a hidden delivery becomes visible by itself.
pub async fn depth_counts_visible_and_hidden(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let (lanes, short) = ([lane("emails")], world.timing.short);
    let both = async || {
        let depth = world.depth(&lanes[0]).await;
        (depth.visible, depth.hidden)
    };
    assert_eq!(both().await, (0, 0));
    let tasks: Vec<_> = [FIRST, SECOND, FIRST]
        .into_iter()
        .map(|partition| world.ready(partition, &lanes[0], 1))
        .collect();
    world.announce(&tasks).await;
    assert_eq!(both().await, (3, 0));
    let held = world.receive(&lanes, 1, world.timing.late).await;
    let brief = world.receive_for(&lanes, 1, short, world.timing.late).await;
    assert_eq!((held.len(), brief.len()), (1, 1));
    world.settle(held).await;
    let start = world.clock.now();
    while both().await != (2, 0) {
        let (visible, hidden) = both().await;
        assert_eq!(visible + hidden, 2);
        let waited = Duration::from(world.clock.now().since(start));
        assert!(waited < short + world.timing.late, "it becomes visible");
        world.clock.sleep(short / 10).await;
    }
}

pub(super) fn ids(deliveries: &[Delivery]) -> Vec<TaskId> {
    deliveries.iter().map(|delivery| delivery.task).collect()
}

fn receipts(deliveries: Vec<Delivery>) -> Vec<Receipt> {
    let receipts = deliveries.into_iter().map(|delivery| delivery.receipt);
    receipts.collect()
}
