use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{EngineError, Listing, Order, Store};

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
async fn no_loss_overdue_timers_of_a_leader_that_is_gone_are_fired_within_two_seconds() {
    let mut world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let mut task = world.task();
    task.start = Some(When::In(Millis::from_secs(7)));
    let id = world.submit(task).await;
    // It is in the middle of its term.
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

/// A store that is hard to get anything done with.
const TROUBLE: Faults = Faults {
    down_after_loss: false,
    far: true,
    conflict: 150,
    reply_lost: 100,
    request_lost: 100,
    unavailable: 100,
    unlisted: 0,
    unconfirmed: 100,
    delay: Duration::from_micros(300),
    load_delay: Duration::ZERO,
    transaction_changes: None,
    transaction_bytes: None,
};

/// Calls until the store answers.
pub async fn surely<T>(call: impl AsyncFn() -> Result<T, EngineError>) -> Result<T, Rejection> {
    for _ in 0..200 {
        match call().await {
            Ok(value) => return Ok(value),
            Err(EngineError::Rejected(rejection)) => return Err(rejection),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    panic!("the store never answers")
}

#[tokio::test(start_paused = true)]
async fn no_ghost_nothing_exists_runs_or_ends_that_nobody_submitted() {
    let world = World::new(Plan {
        nodes: 3,
        partitions: 2,
        faults: TROUBLE,
        ..Plan::default()
    });
    let (mut asked, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for at in 0..80 {
        let mut task = world.task();
        asked.insert(task.id);
        if at % 4 == 0 {
            let nobody = world.node(0).new_task_id_in(task.id.partition());
            let on = DependencyOn::Success;
            task.dependencies = vec![Dependency { task: nobody, on }];
            refused.extend([task.id, nobody]);
        }
        // Asked for once; whether it was accepted is not always known.
        let _ = world.node(at).submit(one(task)).await;
    }
    let ghost = world.node(0).new_task_id_in(PartitionId(1));
    let cancel = |id| Cancel {
        task: id,
        reason: None,
    };
    let gone = surely(async || world.node(1).cancel(cancel(ghost)).await).await;
    assert_eq!(gone, Err(Rejection::NotFound { task: ghost }));
    for id in asked.iter().step_by(7) {
        let _ = surely(async || world.node(2).cancel(cancel(*id)).await).await;
    }
    let listing = Listing {
        limit: 200,
        ..Listing::default()
    };
    let stored = world.store.list(&listing).await.expect("list").items;
    let stored: BTreeSet<_> = stored.into_iter().collect();
    assert!(
        stored.len() > 20,
        "only {} tasks: too much trouble",
        stored.len()
    );
    let allowed: BTreeSet<_> = asked.difference(&refused).copied().collect();
    assert!(
        stored.is_subset(&allowed),
        "{:?}",
        stored.difference(&allowed)
    );
    let mut ran = BTreeSet::new();
    let all: Vec<_> = stored.iter().copied().collect();
    for at in 0.. {
        if !world.any_live(&all).await {
            break;
        }
        for task in world.lease_some(at).await {
            ran.insert(task.id);
            let _ = complete(world.node(at + 1), &task).await;
        }
    }
    assert!(ran.is_subset(&stored), "{:?}", ran.difference(&stored));
    let events = world.account.events();
    assert!(
        events.iter().all(|event| stored.contains(&event.task)),
        "{events:?}"
    );
    // What a node never learned that it did is in no account, and nothing is in it twice.
    for id in stored {
        let of = world.account.of(id);
        let births = of.iter().filter(|kind| **kind == EventKind::Submitted);
        let ends = [EventKind::Succeeded, EventKind::Cancelled];
        let ends = of.iter().filter(|kind| ends.contains(kind));
        assert!(births.count() <= 1 && ends.count() <= 1, "{of:?}");
    }
}

/// Fails all attempts of tasks until all of them have ended.
async fn fail_all(world: &World, ids: &[TaskId], kind: ErrorKind) {
    for at in 0.. {
        if !world.any_live(ids).await {
            return;
        }
        for task in world.lease_some(at).await {
            let lease = task.lease.as_ref().expect("a leased task has a lease").id;
            let fail = Fail {
                task: task.id,
                lease,
                kind,
                message: format!("attempt {}", task.attempt),
                retry_after: Some(Millis::new(20)),
                progress: None,
                random: 0,
            };
            let failed = surely(async || world.node(at).fail(fail.clone()).await).await;
            // A lease may run out while the store is in trouble.
            let stale = matches!(failed, Err(Rejection::StaleLease { .. }));
            assert!(failed.is_ok() || stale, "{failed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dead_once_what_fails_for_good_is_dead_lettered_once_a_life_with_its_error() {
    // With a store that can be read, every node learns what it did.
    let faults = Faults {
        unavailable: 0,
        unconfirmed: 0,
        ..TROUBLE
    };
    let world = World::new(Plan {
        nodes: 3,
        faults,
        ..Plan::default()
    });
    let mut ids = Vec::new();
    for at in 0..40 {
        let mut task = world.task();
        task.retry.max_retries = at % 3;
        ids.push(task.id);
        surely(async || world.node(0).submit(one(task.clone())).await)
            .await
            .expect("is accepted");
    }
    fail_all(&world, &ids, ErrorKind::Failed).await;
    let deaths = |id| {
        let of = world.account.of(id);
        of.iter()
            .filter(|kind| **kind == EventKind::DeadLettered)
            .count()
    };
    for (at, id) in ids.iter().enumerate() {
        let dead = world.get(*id).await;
        let error = dead.last_error.as_ref().expect("says why");
        let attempts = at as u64 % 3 + 1;
        assert_eq!(
            (dead.status, dead.attempt, error.attempt),
            (Status::Dead, attempts, attempts)
        );
        assert_eq!(deaths(*id), 1, "{:?}", world.account.of(*id));
    }
    for id in &ids {
        // A redrive whose reply was lost finds the task alive.
        let _ = surely(async || world.node(1).redrive(*id).await).await;
        assert_eq!(world.get(*id).await.status, Status::Queued);
        assert_eq!(deaths(*id), 1);
    }
    fail_all(&world, &ids, ErrorKind::Final).await;
    for id in ids {
        assert_eq!(world.get(id).await.status, Status::Dead);
        assert_eq!(deaths(id), 2, "{:?}", world.account.of(id));
    }
}
