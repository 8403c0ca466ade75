use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::core::*;
use russet_engine::{EngineError, StoreError, limits};

use crate::faulty::Faults;
use crate::world::*;

/// Submits, and sends the same submission again as long as the store does not answer.
async fn insist(world: &World, at: usize) -> TaskId {
    let task = world.task();
    loop {
        match world.node(at).submit(one(task.clone())).await {
            Ok(submitted) => return submitted.tasks[0],
            Err(russet_engine::EngineError::Rejected(rejection)) => panic!("{rejection}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_loss_and_one_holder_while_the_store_conflicts_loses_replies_and_fails() {
    for seed in 0..crate::SEEDS {
        let faults = Faults {
            conflict: 100,
            reply_lost: 100,
            down_after_loss: false,
            request_lost: 50,
            unavailable: 50,
            unlisted: 0,
            unconfirmed: 50,
            delay: Duration::from_micros(300),
            load_delay: Duration::ZERO,
            far: seed % 4 < 2,
            transaction_changes: (seed % 2 == 0).then_some(12),
            transaction_bytes: None,
        };
        let world = World::new(Plan {
            nodes: 3,
            partitions: 2,
            faults,
            seed,
            ..Plan::default()
        });
        let submits = (0..120).map(|at| insist(&world, at));
        let mut ids = join_all(submits).await;
        ids.sort();
        let completed = world.work(120).await;
        assert_eq!(completed, ids, "seed {seed}");
        for id in ids {
            let task = world.get(id).await;
            assert_eq!(task.status, Status::Succeeded, "seed {seed}");
        }
        assert!(
            world.store.injected.load(Ordering::Relaxed) > 20,
            "seed {seed}: too calm"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for_again_and_again() {
    let faults = Faults {
        unavailable: 1_000,
        load_delay: Duration::from_secs(10),
        ..Faults::default()
    };
    for seed in 0..20 {
        let world = World::new(Plan {
            faults,
            seed,
            ..Plan::default()
        });
        let before = world.clock.now();
        let refused = world.node(0).submit(one(world.task())).await;
        refused.expect_err("the store does not answer");
        let waited = world.clock.now().since(before);
        assert!(waited < Millis::from_secs(15), "{waited:?}");
    }
}

/// A store that shows what it may still lose: what it shows is no acknowledgement.
#[tokio::test(start_paused = true)]
async fn no_loss_an_answer_that_rests_on_what_is_not_safe_yet_is_not_given() {
    for reply_lost in [0, 1_000] {
        let faults = Faults {
            reply_lost,
            unconfirmed: 1_000,
            ..Faults::default()
        };
        let world = World::new(Plan {
            faults,
            ..Plan::default()
        });
        let task = world.task();
        let submit = || world.node(0).submit(one(task.clone()));
        let first = submit().await;
        assert_eq!(
            first.is_ok(),
            reply_lost == 0,
            "its own commit vouches for it"
        );
        let again = submit().await.expect_err("nothing vouches for it");
        assert!(again.to_string().contains("not safe"), "{again}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_lost_after_its_commit_is_found_by_its_version() {
    let faults = Faults {
        reply_lost: 1_000,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    });
    let submitted = world
        .node(0)
        .submit(one(world.task()))
        .await
        .expect("submit");
    assert!(
        !submitted.existing,
        "the first submission says that it is the first"
    );
}

#[tokio::test(start_paused = true)]
async fn bounded_a_command_whose_records_others_change_again_and_again_is_refused_with_when_to_try_again()
 {
    let faults = Faults {
        conflict: 1_000,
        ..Faults::default()
    };
    let world = World::new(Plan {
        faults,
        ..Plan::default()
    });
    let task = world.task();
    let refused = world.node(0).submit(one(task.clone())).await;
    let Err(EngineError::Contended { retry_after }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(retry_after, limits::RETRY_AFTER);
    let commits = world.store.commits.load(Ordering::Relaxed);
    let tries = u64::from(limits::CONFLICT_TRIES);
    // Whoever wants to lead tries as well.
    assert!((tries..=3 * tries).contains(&commits), "{commits}");
    assert_eq!(world.node(0).get(task.id).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_answered_as_what_was_not() {
    let lost = Faults {
        reply_lost: 1_000,
        ..Faults::default()
    };
    let is_down = Faults {
        down_after_loss: true,
        ..lost
    };
    let is_not_safe = Faults {
        unconfirmed: 1_000,
        ..lost
    };
    for faults in [is_down, is_not_safe] {
        let world = World::new(Plan {
            nodes: 1,
            faults,
            ..Plan::default()
        });
        let task = world.task();
        let unsure = world.node(0).submit(one(task.clone())).await;
        let Err(EngineError::Store(StoreError::Indeterminate { why })) = &unsure else {
            panic!("it may have been done: {unsure:?}");
        };
        assert!(why.contains("injected"), "{why}");
        world.store.down.lock().expect("lock").clear();
        assert_eq!(world.get(task.id).await.status, Status::Queued);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_down_takes_only_its_own_tasks_with_it() {
    for (far, limit) in [
        (false, None),
        (true, None),
        (false, Some(6)),
        (true, Some(6)),
    ] {
        let world = World::new(Plan {
            nodes: 1,
            partitions: 3,
            faults: Faults {
                far,
                ..Faults::default()
            },
            ..Plan::default()
        });
        let patch = QueuePatch {
            concurrency: Some(limit),
            ..QueuePatch::default()
        };
        let configured = world.node(0).configure(queue(), patch).await;
        configured.expect("it is configured");
        let ids = [1, 2].map(|p| world.node(0).new_task_id_in(PartitionId(p)));
        for id in ids {
            world.submit(world.task_with(id)).await;
        }
        world
            .store
            .down
            .lock()
            .expect("lock")
            .insert(PartitionId(0));
        let before = world.clock.now();
        let request = lease("w", 10, Duration::ZERO);
        let leased = world.node(0).lease(request).await.expect("two are up");
        let mut leased: Vec<_> = leased.iter().map(|task| task.id).collect();
        leased.sort();
        assert_eq!(leased, ids, "far {far}, limit {limit:?}");
        let waited = world.clock.now().since(before);
        assert!(waited < Millis::from_secs(3), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_commit_of_which_nobody_knows_is_not_certain() {
    let faults = Faults {
        far: true,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    });
    let id = world.submit(world.task()).await;
    let cancel = Cancel {
        task: id,
        reason: None,
    };
    world.node(0).cancel(cancel).await.expect("cancel");
    world.store.lose.store(1, Ordering::Relaxed);
    let purged = world.node(0).purge(id).await;
    let Err(EngineError::Store(StoreError::Indeterminate { why })) = &purged else {
        panic!("it is gone because of this: {purged:?}");
    };
    assert!(why.contains("a commit was not answered"), "{why}");
    assert_eq!(world.node(0).get(id).await, Ok(None));
}
