//! A lease request that is told to stop, or whose node stops, at each moment of its course.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use russet_engine::core::*;
use russet_engine::{EngineError, LeaseRequest, Scheduler, limits};

use crate::faulty::Faults;
use crate::world::*;

/// So many that they are weighed before they are granted, which takes a load.
const TASKS: usize = limits::LEASE_TASKS_UNWEIGHED + 3;
/// How long each commit takes, and a load at most.
const COMMIT: Duration = Duration::from_millis(5);
/// By when, in milliseconds, all has been granted that nobody stopped.
const ENOUGH_MS: u64 = 30;

type Leased = Result<Vec<Arc<Task>>, EngineError>;

/// How a request ended that was stopped after `after`.
async fn stopped(node: &Scheduler, whole: bool, after: Duration) -> Leased {
    let request: LeaseRequest = lease("w", TASKS, Duration::from_secs(60));
    let moment = tokio::time::sleep(after);
    if !whole {
        return node.lease_until(request, moment).await;
    }
    let stop = async {
        moment.await;
        node.stop().await;
    };
    tokio::join!(node.lease(request), stop).0
}

/// How many tasks a request was granted that was stopped after so many milliseconds, by itself or
/// with its whole node, while they were submitted on another one. The store has them run for
/// nobody else, and all others can start at once.
async fn granted(plan: &Plan, whole: bool, ms: u64) -> usize {
    let world = World::new(Plan { seed: ms, ..*plan });
    let submits = join_all((0..TASKS).map(|_| world.submit(world.task())));
    let (leased, _) = join(
        stopped(world.node(1), whole, Duration::from_millis(ms)),
        submits,
    )
    .await;
    let leased = match leased {
        Err(EngineError::Stopping) if whole => Vec::new(),
        leased => leased.expect("is answered"),
    };
    for task in &leased {
        let known = world.get(task.id).await;
        assert_eq!((known.status, &known.lease), (Status::Running, &task.lease));
    }
    let request = lease("other", TASKS, Duration::from_secs(1));
    let mut rest = Vec::new();
    while leased.len() + rest.len() < TASKS {
        let more = world.node(0).lease(request.clone()).await.expect("leases");
        assert!(!more.is_empty(), "{ms} ms: one is leased to nobody");
        rest.extend(more);
    }
    assert!(rest.iter().all(|task| task.attempt == 1), "{ms} ms");
    leased.len()
}

#[tokio::test(start_paused = true)]
async fn what_is_being_granted_when_a_request_or_its_node_stops_is_returned_or_given_back() {
    for (split, whole) in [(false, false), (false, true), (true, false), (true, true)] {
        let plan = Plan {
            split,
            faults: Faults {
                delay: COMMIT,
                load_delay: COMMIT,
                ..Faults::default()
            },
            ..Plan::default()
        };
        let mut counts = Vec::new();
        for ms in 0..ENOUGH_MS {
            counts.push(granted(&plan, whole, ms).await);
        }
        let case = format!("split {split}, whole {whole}: {counts:?}");
        assert_eq!(counts.first(), Some(&0), "{case}");
        assert!(counts.last().is_some_and(|granted| *granted > 0), "{case}");
    }
}
