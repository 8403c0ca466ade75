use std::collections::BTreeMap;
use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{Listing, Order, Store};

use crate::faulty::Faults;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn lease_respected_a_lease_with_heartbeats_is_never_taken_over() {
    let world = World::new(Plan {
        nodes: 3,
        ..Plan::default()
    });
    let id = world.submit(world.task()).await;
    let task = world
        .node(0)
        .lease(lease("w", 1, Duration::ZERO))
        .await
        .expect("lease")
        .remove(0);
    let held = task.lease.as_ref().expect("lease").id;
    for beat in 0..50 {
        tokio::time::sleep(Duration::from_secs(29)).await;
        let extend = Extend {
            task: id,
            lease: held,
            duration: None,
            progress: None,
        };
        let extended = world
            .node(beat)
            .extend(extend)
            .await
            .expect("the lease is still held");
        assert_eq!(
            extended.expires_at,
            world.clock.now() + NewTask::LEASE_DURATION
        );
    }
    let now = complete(world.node(1), &task).await.expect("complete");
    assert_eq!((now.status, now.attempt), (Status::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn indexes_agree_counters_and_listings_equal_what_the_records_say() {
    let faults = Faults {
        conflict: 150,
        reply_lost: 100,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 3,
        partitions: 3,
        faults,
        ..Plan::default()
    });
    let mut ids = Vec::new();
    for at in 0..60u64 {
        let mut task = world.task();
        task.start = (at % 3 == 0).then(|| When::In(Millis::from_secs(3_600)));
        ids.push(world.submit(task).await);
    }
    world.work(40).await;
    for id in ids.iter().step_by(5) {
        // Those that have ended refuse it.
        let _ = world
            .node(0)
            .cancel(Cancel {
                task: *id,
                reason: None,
            })
            .await;
    }
    let mut counted: BTreeMap<Status, Vec<TaskId>> = BTreeMap::new();
    for id in &ids {
        counted
            .entry(world.get(*id).await.status)
            .or_default()
            .push(*id);
    }
    let stats = world.store.stats().await.expect("stats").queues.remove(0);
    for status in Status::ALL {
        let mut expected = counted.remove(&status).unwrap_or_default();
        expected.sort();
        assert_eq!(stats.count(status), expected.len() as u64, "{status}");
        let listing = Listing {
            queue: Some(queue()),
            status: Some(status),
            limit: 100,
            order: Order::Oldest,
            ..Listing::default()
        };
        assert_eq!(
            world.store.list(&listing).await.expect("list").items,
            expected,
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_loss_overdue_timers_of_a_leader_that_was_killed_are_fired_within_two_seconds() {
    let mut world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let mut task = world.task();
    task.start = Some(When::In(Millis::from_secs(7)));
    let id = world.submit(task).await;
    // The leader's term is still running when it is gone.
    tokio::time::sleep(Duration::from_millis(5_900)).await;
    world.node(0).stop().await;
    world.start_node();
    let before = world.clock.now();
    let leased = world
        .node(1)
        .lease(lease("w", 1, Duration::from_secs(30)))
        .await;
    assert_eq!(leased.expect("lease").first().map(|task| task.id), Some(id));
    assert!(world.clock.now().since(before) < Millis::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_lease_request_that_cannot_be_is_refused_before_any_task_is_taken() {
    let world = World::new(Plan::default());
    world.submit(world.task()).await;
    for _ in 0..2 {
        let refused = world.node(0).lease(lease("", 1, Duration::ZERO)).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    let leased = world
        .node(0)
        .lease(lease("w", 1, Duration::ZERO))
        .await
        .expect("lease");
    assert_eq!(leased.len(), 1);
}
