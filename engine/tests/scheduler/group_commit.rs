use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::core::*;
use russet_engine::{EngineError, limits};

use crate::faulty::Faults;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_share_a_few_commits() {
    let faults = Faults {
        delay: Duration::from_millis(1),
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    });
    let before = world.store.commits.load(Ordering::Relaxed);
    let submits = (0..1_000).map(|_| world.node(0).submit(one(world.task())));
    assert!(join_all(submits).await.iter().all(Result::is_ok));
    let commits = world.store.commits.load(Ordering::Relaxed) - before;
    assert!(commits <= 5, "{commits} commits");
}

#[tokio::test(start_paused = true)]
async fn one_caller_waits_for_one_commit_and_nothing_else() {
    let faults = Faults {
        delay: Duration::from_millis(10),
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.clock.now();
    world.submit(world.task()).await;
    assert!(world.clock.now().since(before) <= Millis::new(12));
}

#[tokio::test(start_paused = true)]
async fn bounded_what_does_not_fit_is_refused_with_a_time_to_try_again_and_nothing_is_lost() {
    let faults = Faults {
        delay: Duration::from_secs(1),
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    });
    let submits = (0..limits::WAITING_COMMANDS * 2).map(|_| {
        let task = world.task();
        async { (task.id, world.node(0).submit(one(task)).await) }
    });
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for (id, result) in join_all(submits).await {
        match result {
            Ok(_) => accepted.push(id),
            Err(EngineError::Overloaded { retry_after, .. }) => {
                assert_eq!(retry_after, limits::RETRY_AFTER);
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0 && accepted.len() >= limits::WAITING_COMMANDS / 2);
    for ids in accepted.chunks(1_000) {
        let found = world.node(0).get_each(ids).await.expect("get");
        assert!(found.iter().all(Option::is_some));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_command_does_not_spoil_its_batch() {
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let mut bad = world.task();
    bad.priority = Some(10);
    let tasks = vec![world.task(), bad, world.task()];
    let results = world.node(0).submit_each(tasks).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    let Err(EngineError::Rejected(Rejection::Invalid(invalid))) = &results[1] else {
        panic!("{results:?}")
    };
    assert_eq!(invalid.field, "priority");
}
