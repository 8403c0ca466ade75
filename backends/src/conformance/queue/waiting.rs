//! Receivers that wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use russet_engine::Delivery;

use super::delivery::ids;
use crate::conformance::Factory;
use crate::conformance::fixtures::lane;
use crate::conformance::world::{FIRST, LONG, World};

/// Asking is not waiting.
pub async fn an_empty_lane_answers_at_once_when_nobody_waits(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let start = world.clock.now();
    assert_eq!(
        world.receive(&[lane("emails")], 5, Duration::ZERO).await,
        []
    );
    assert_eq!(world.receive(&[], 5, Duration::ZERO).await, []);
    assert!(Duration::from(world.clock.now().since(start)) < world.timing.late);
}

/// No shorter and not much longer.
pub async fn an_empty_lane_is_waited_for_as_long_as_asked(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let short = world.timing.short;
    let start = world.clock.now();
    assert_eq!(world.receive(&[lane("emails")], 5, short).await, []);
    let waited = Duration::from(world.clock.now().since(start));
    assert!(waited >= short, "waited {waited:?}");
    assert!(waited < short + world.timing.late, "waited {waited:?}");
}

/// A wait of a minute ends when a task arrives, and at once when the machine has time.
pub async fn a_waiting_receiver_is_woken_by_an_arrival(factory: &dyn Factory) {
    const TIMES: usize = 8;
    let world = Arc::new(World::new(factory, 1).await);
    let mut soonest = LONG;
    for _ in 0..TIMES {
        let receiver = receiver(&world, "emails", 1);
        world.clock.sleep(world.timing.short / 4).await;
        let task = world.ready(FIRST, &lane("emails"), 1);
        let start = world.clock.now();
        world.announce(std::slice::from_ref(&task)).await;
        let received = receiver.await.expect("the receiver finishes");
        let waited = Duration::from(world.clock.now().since(start));
        assert_eq!(ids(&received), [task.id]);
        assert!(waited < world.timing.late, "woken after {waited:?}");
        soonest = soonest.min(waited);
        world.settle(received).await;
    }
    assert!(soonest <= world.timing.prompt, "woken after {soonest:?}");
}

/// Whoever already waits when a delivery is hidden gets it when it is visible again.
pub async fn a_waiting_receiver_gets_what_becomes_visible_again(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory, 1).await);
    let lanes = [lane("emails")];
    let task = world.ready(FIRST, &lanes[0], 1);
    world.announce(std::slice::from_ref(&task)).await;
    let first = world.receive(&lanes, 1, world.timing.late).await;
    let receiver = receiver(&world, "emails", 1);
    world.clock.sleep(world.timing.short).await;
    let start = world.clock.now();
    let receipts = first.into_iter().map(|delivery| delivery.receipt).collect();
    world.release(receipts, world.timing.short).await;
    let second = receiver.await.expect("the receiver finishes");
    let waited = Duration::from(world.clock.now().since(start));
    assert_eq!(ids(&second), [task.id]);
    assert!(waited >= world.timing.short, "after {waited:?}");
    assert!(
        waited < world.timing.short + world.timing.late,
        "after {waited:?}"
    );
}

/// Each task goes to one of them, and none is left over.
pub async fn many_receivers_share_what_arrives(factory: &dyn Factory) {
    const RECEIVERS: usize = 16;
    let world = Arc::new(World::new(factory, 1).await);
    let receivers: Vec<_> = (0..RECEIVERS)
        .map(|n| receiver(&world, "emails", 1 + n % 3))
        .collect();
    world.clock.sleep(world.timing.short).await;
    let emails = lane("emails");
    let tasks: Vec<_> = (0..RECEIVERS * 3)
        .map(|n| world.ready(FIRST, &emails, n as i64))
        .collect();
    world.announce(&tasks).await;
    let mut received = Vec::new();
    for receiver in join_all(receivers).await {
        let deliveries = receiver.expect("a receiver finishes");
        assert!(!deliveries.is_empty(), "every receiver gets something");
        received.extend(ids(&deliveries));
    }
    loop {
        let rest = world
            .receive(std::slice::from_ref(&emails), 10, world.timing.short)
            .await;
        if rest.is_empty() {
            break;
        }
        received.extend(ids(&rest));
    }
    received.sort();
    assert!(received.iter().eq(tasks.iter().map(|task| &task.id)));
}

/// A receiver is dropped when its wake-up is under way: another one gets the task, and at
/// once when the machine has time.
pub async fn a_receiver_that_goes_away_takes_no_wake_up_with_it(factory: &dyn Factory) {
    const TIMES: usize = 10;
    let world = Arc::new(World::new(factory, 1).await);
    let (lanes, pause) = ([lane("emails")], Duration::from_millis(5));
    let mut soonest = LONG;
    for _ in 0..TIMES {
        let gone = Box::pin(world.receive(&lanes, 1, LONG));
        let paused = Box::pin(world.clock.sleep(pause));
        let Either::Right(((), gone)) = select(gone, paused).await else {
            panic!("nothing has arrived yet");
        };
        let other = receiver(&world, "emails", 1);
        world.clock.sleep(pause).await;
        let task = world.ready(FIRST, &lanes[0], 1);
        let start = world.clock.now();
        world.announce(std::slice::from_ref(&task)).await;
        drop(gone);
        let received = other.await.expect("the receiver finishes");
        let waited = Duration::from(world.clock.now().since(start));
        assert_eq!(ids(&received), [task.id]);
        assert!(waited < world.timing.late, "woken after {waited:?}");
        soonest = soonest.min(waited);
        world.settle(received).await;
    }
    assert!(soonest <= world.timing.prompt, "woken after {soonest:?}");
}

fn receiver(world: &Arc<World>, queue: &str, max: usize) -> tokio::task::JoinHandle<Vec<Delivery>> {
    let (world, lanes) = (world.clone(), [lane(queue)]);
    tokio::spawn(async move { world.receive(&lanes, max, LONG).await })
}
