//! Backoffs that differ, so that what failed together is not tried again together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use russet_engine::core::*;

use crate::world::*;

const TASKS: usize = 30;
const BACKOFF: Millis = Millis::from_secs(100);

async fn leased(world: &World) -> Vec<Arc<Task>> {
    for _ in 0..TASKS {
        let mut task = world.task();
        task.retry.backoff = BACKOFF;
        task.retry.jitter_percent = 100;
        world.submit(task).await;
    }
    let leased = world.node(0).lease(lease("w", TASKS, Duration::ZERO)).await;
    leased.expect("lease")
}

/// The backoffs that the tasks wait for, each at least as long as asked for and at most twice.
async fn backoffs(world: &World, tasks: &[Arc<Task>]) -> BTreeSet<Millis> {
    let mut backoffs = BTreeSet::new();
    for task in tasks {
        let task = world.get(task.id).await;
        assert_eq!(task.status, Status::Scheduled);
        let error = task.last_error.as_ref().expect("it failed");
        let backoff = task.scheduled_at.expect("it waits").since(error.at);
        assert!(
            (BACKOFF..=BACKOFF + BACKOFF).contains(&backoff),
            "{backoff}"
        );
        backoffs.insert(backoff);
    }
    backoffs
}

#[tokio::test(start_paused = true)]
async fn tasks_that_fail_together_are_not_tried_again_together() {
    let world = World::new(Plan::default());
    let tasks = leased(&world).await;
    for task in &tasks {
        let fail = Fail {
            task: task.id,
            lease: task.lease.as_ref().expect("it is leased").id,
            kind: ErrorKind::Failed,
            message: "no".to_owned(),
            retry_after: None,
            progress: None,
            random: 0,
        };
        world.node(0).fail(fail).await.expect("it is reported");
    }
    assert!(backoffs(&world, &tasks).await.len() > TASKS / 2);
}

#[tokio::test(start_paused = true)]
async fn tasks_whose_worker_died_are_not_tried_again_together() {
    let world = World::new(Plan::default());
    let tasks = leased(&world).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(backoffs(&world, &tasks).await.len() > TASKS / 2);
}
