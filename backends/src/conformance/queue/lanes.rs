//! Lanes, and how a node learns of them.

use std::sync::Arc;
use std::time::Duration;

use super::delivery::ids;
use crate::conformance::Factory;
use crate::conformance::fixtures::{cpus, lane, queue_name};
use crate::conformance::world::{FIRST, LONG, SECOND, World};

/// Not of another queue, and not of the same queue with other resources.
pub async fn receivers_get_nothing_from_other_lanes(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory, 1).await);
    let lanes = [
        lane("emails"),
        cpus("emails", 1),
        cpus("emails", 2),
        lane("renders"),
    ];
    for (n, own) in lanes.iter().enumerate().skip(1) {
        let task = world.ready(FIRST, own, n as i64);
        world.announce(&[task]).await;
    }
    let short = world.timing.short;
    assert_eq!(world.receive(&lanes[..1], 10, short).await, []);
    for own in lanes.iter().skip(1) {
        let received = world
            .receive(std::slice::from_ref(own), 10, world.timing.late)
            .await;
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].lane, *own);
    }
}

/// One call serves all lanes that a worker can hold.
pub async fn several_lanes_are_received_from_at_once(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let lanes = [lane("a"), cpus("a", 4), lane("b")];
    let mut expected = Vec::new();
    for (n, own) in lanes.iter().enumerate() {
        let task = world.ready([FIRST, SECOND][n % 2], own, n as i64);
        expected.push(task.id);
        world.announce(&[task]).await;
    }
    let mut received = Vec::new();
    while received.len() < 3 {
        let more = world.receive(&lanes, 10, world.timing.late).await;
        assert!(!more.is_empty(), "all three come");
        received.extend(ids(&more));
    }
    received.sort();
    assert_eq!(received, expected);
}

/// A new lane changes the epoch; a task in a known lane does not.
pub async fn lanes_become_known_with_their_first_task(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory, 1).await);
    let emails = queue_name("emails");
    assert_eq!(world.lanes(&emails).await, []);
    let before = world.queue.lanes_epoch();
    let waiting = {
        let queue = world.queue.clone();
        tokio::spawn(async move { queue.lanes_changed(before).await })
    };
    world.clock.sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());

    let first = world.ready(FIRST, &lane("emails"), 1);
    world.announce(&[first]).await;
    assert_eq!(world.lanes(&emails).await, [lane("emails")]);
    waiting.await.expect("the new lane is told of");
    let known = world.queue.lanes_epoch();
    assert!(known > before);
    world.queue.lanes_changed(before).await;

    let again = world.ready(FIRST, &lane("emails"), 2);
    world.announce(&[again]).await;
    assert_eq!(world.queue.lanes_epoch(), known);
    let second = world.ready(FIRST, &cpus("emails", 1), 3);
    world.announce(&[second]).await;
    let other = world.ready(FIRST, &lane("renders"), 4);
    world.announce(&[other]).await;
    let mut lanes = world.lanes(&emails).await;
    lanes.sort();
    assert_eq!(lanes, [lane("emails"), cpus("emails", 1)]);
    assert_eq!(world.lanes(&queue_name("renders")).await, [lane("renders")]);
    assert!(world.queue.lanes_epoch() > known);
}

/// Waiting for a lane does not make it known.
pub async fn a_receiver_may_wait_for_a_lane_that_is_not_known_yet(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory, 1).await);
    let epoch = world.queue.lanes_epoch();
    let receiver = {
        let world = world.clone();
        let lanes = [cpus("later", 3), lane("later")];
        tokio::spawn(async move { world.receive(&lanes, 1, LONG).await })
    };
    world.clock.sleep(world.timing.short).await;
    assert_eq!(world.lanes(&queue_name("later")).await, []);
    assert_eq!(world.queue.lanes_epoch(), epoch);
    let task = world.ready(FIRST, &lane("later"), 1);
    world.announce(std::slice::from_ref(&task)).await;
    let received = receiver.await.expect("the receiver finishes");
    assert_eq!(ids(&received), [task.id]);
}
