use std::sync::atomic::Ordering;
use std::time::Duration;

use russet_engine::core::*;

use crate::world::*;

/// A node whose queue `default` runs one task at a time, with a backlog and its only slot held.
async fn full(backlog: usize) -> (World, Task) {
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    configure(&world, Some(1)).await;
    for _ in 0..=backlog {
        world.submit(world.task()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut leased = world.node(0).lease(lease("w", 10, Duration::ZERO)).await;
    let held = leased.as_mut().expect("lease").remove(0);
    (world, Task::clone(&held))
}

async fn configure(world: &World, limit: Option<u32>) {
    let patch = QueuePatch {
        concurrency: Some(limit),
        ..QueuePatch::default()
    };
    let configured = world.node(0).configure(queue(), patch).await;
    configured.expect("configure");
}

#[tokio::test(start_paused = true)]
async fn no_starvation_a_full_queue_does_not_hold_up_another() {
    let (world, _held) = full(500).await;
    let other = QueueName::new("other").expect("a name");
    let mut task = world.task();
    task.queue = other.clone();
    let ready = world.submit(task).await;
    let mut request = lease("w", 1, Duration::from_secs(5));
    request.queues.push(other);
    let before = world.clock.now();
    let leased = world.node(0).lease(request).await.expect("lease");
    let leased: Vec<_> = leased.iter().map(|task| task.id).collect();
    assert_eq!(leased, [ready]);
    assert_eq!(world.clock.now(), before, "it had to wait");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_does_not_wait_finds_what_another_partition_can_start() {
    let world = World::new(Plan {
        nodes: 1,
        partitions: 3,
        ..Plan::default()
    });
    configure(&world, Some(1)).await;
    for _ in 0..30 {
        world.submit(world.task()).await;
    }
    let one = async || {
        let leased = world.node(0).lease(lease("w", 1, Duration::ZERO)).await;
        leased.expect("lease").len()
    };
    let mut leased = [0; 4];
    for count in &mut leased {
        *count = one().await;
    }
    assert_eq!(leased, [1, 1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn no_starvation_tasks_under_a_limit_start_in_the_order_in_which_they_became_ready() {
    let (world, mut held) = full(300).await;
    for _ in 0..300 {
        complete(world.node(0), &held).await.expect("complete");
        let leased = world
            .node(0)
            .lease(lease("w", 10, Duration::from_secs(5)))
            .await
            .expect("lease");
        assert_eq!(leased.len(), 1);
        assert!(leased[0].ready_at > held.ready_at, "out of order");
        held = Task::clone(&leased[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_given_back_wakes_a_waiting_worker_at_once() {
    let (world, held) = full(1).await;
    let waiter = world.node(0).clone();
    let waiting =
        tokio::spawn(async move { waiter.lease(lease("w", 1, Duration::from_secs(50))).await });
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let before = world.clock.now();
    complete(world.node(0), &held).await.expect("complete");
    assert_eq!(waiting.await.expect("join").expect("lease").len(), 1);
    assert!(world.clock.now().since(before) < Millis::new(5));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_a_full_queue_rests() {
    let (world, _held) = full(500).await;
    let before = world.store.loads.load(Ordering::Relaxed);
    let leased = world
        .node(0)
        .lease(lease("w", 10, Duration::from_secs(10)))
        .await;
    assert_eq!(leased.expect("lease"), []);
    let loads = world.store.loads.load(Ordering::Relaxed) - before;
    assert!(loads < 100, "{loads} loads in ten seconds");
}
