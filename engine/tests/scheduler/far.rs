//! A store that is far: nodes presume what they know of tasks, and are never wrong by it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{EngineError, limits};

use crate::faulty::Faults;
use crate::world::*;

fn far(nodes: usize) -> World {
    let faults = Faults {
        far: true,
        ..Faults::default()
    };
    World::new(Plan {
        nodes,
        faults,
        ..Plan::default()
    })
}

/// Submits a task on the first node, and leases it on another.
async fn lease_on(world: &World, node: usize) -> Arc<Task> {
    let id = world.submit(world.task()).await;
    let leased = world.lease_some(node).await;
    assert_eq!(leased.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
    leased[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_life_on_one_node_loads_no_task() {
    let world = far(1);
    for _ in 0..5 {
        let task = lease_on(&world, 0).await;
        complete(world.node(0), &task).await.expect("complete");
    }
    assert_eq!(world.store.loaded_tasks.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_many_tasks_of_another_node_loads_each_of_them_once() {
    let world = far(2);
    for _ in 0..50 {
        world.submit(world.task()).await;
    }
    let request = lease("w", 50, Duration::from_secs(1));
    let leased = world.node(1).lease(request).await.expect("lease");
    assert_eq!(leased.len(), 50);
    assert_eq!(world.store.loaded_tasks.load(Ordering::Relaxed), 50);
}

#[tokio::test(start_paused = true)]
async fn a_decision_on_a_task_that_another_node_has_changed_is_made_again() {
    let world = far(2);
    let task = lease_on(&world, 0).await;
    let lease = task.lease.as_ref().expect("a lease").id;
    let extend = |checkpoint: &'static str| Extend {
        task: task.id,
        lease,
        duration: None,
        progress: Some(Progress {
            checkpoint: Some(checkpoint.into()),
            ..Progress::default()
        }),
    };
    world.node(1).extend(extend("1")).await.expect("extend");
    complete(world.node(0), &task).await.expect("complete");
    let now = world.get(task.id).await;
    assert_eq!(now.status, Status::Succeeded);
    let progress = now.progress.as_ref().expect("progress");
    assert_eq!(progress.checkpoint.as_deref(), Some(b"1".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_rests_on_what_the_store_has_now() {
    let world = far(2);
    // The first node knows the task as it submitted it: queued, and held by nobody.
    let task = lease_on(&world, 1).await;
    complete(world.node(0), &task).await.expect("complete");
    // The second one knows it as it leased it.
    let again = complete(world.node(1), &task).await.expect("again");
    assert_eq!(again.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_change_rests_on_what_the_store_has_now() {
    let world = far(2);
    let task = lease_on(&world, 1).await;
    let by = |node: usize| {
        let cancel = Cancel {
            task: task.id,
            reason: None,
        };
        world.node(node).cancel(cancel)
    };
    assert!(by(1).await.expect("cancel").cancel_requested);
    // The first node knows it as queued, and would cancel it outright.
    let now = by(0).await.expect("cancel");
    assert_eq!((now.status, now.cancel_requested), (Status::Running, true));
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_is_repeated_on_another_node_is_found_although_its_id_was_taken_for_new()
{
    let world = far(2);
    let task = world.task();
    let id = world.submit(task.clone()).await;
    let again = world.node(1).submit(one(task.clone())).await;
    let again = again.expect("submit");
    assert_eq!(again.tasks, [id]);
    let other = NewTask {
        payload: b"1".as_slice().into(),
        ..task
    };
    let refused = world.node(1).submit(one(other)).await;
    assert!(
        matches!(refused, Err(EngineError::Rejected(_))),
        "{refused:?}"
    );
    let once = [EventKind::Submitted, EventKind::Queued];
    assert_eq!(world.account.of(id), once);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_another_node_pauses_starts_nothing_more() {
    let world = far(2);
    let task = lease_on(&world, 0).await;
    complete(world.node(0), &task).await.expect("complete");
    let pause = |paused| QueuePatch {
        paused: Some(paused),
        ..QueuePatch::default()
    };
    let other = world.node(1);
    other.configure(queue(), pause(true)).await.expect("pause");
    let id = world.submit(world.task()).await;
    assert_eq!(world.lease_some(0).await, []);
    let loads = world.store.loads.load(Ordering::Relaxed);
    assert!(
        loads < 50,
        "{loads} loads: it does not look again and again"
    );
    other
        .configure(queue(), pause(false))
        .await
        .expect("resume");
    tokio::time::sleep(limits::SLOTS_REFRESH).await;
    let leased = world.lease_some(0).await;
    assert_eq!(leased.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
}

#[tokio::test(start_paused = true)]
async fn lives_of_a_queue_without_limit_load_it_once_in_a_while() {
    let world = far(1);
    for _ in 0..10 {
        let task = lease_on(&world, 0).await;
        complete(world.node(0), &task).await.expect("complete");
    }
    assert_eq!(world.store.loads.load(Ordering::Relaxed), 1);
    tokio::time::sleep(limits::QUEUE_REMEMBERED).await;
    world.submit(world.task()).await;
    assert_eq!(world.store.loads.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_queue_rests_on_what_the_store_has_now() {
    let world = far(2);
    let id = world.submit(world.task()).await;
    let patch = |paused| QueuePatch {
        paused: Some(paused),
        ..QueuePatch::default()
    };
    let pause = world.node(1).configure(queue(), patch(true));
    // The first node still knows the queue as it was before.
    let resume = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.node(0).configure(queue(), patch(false)).await
    };
    let (paused, resumed) = tokio::join!(pause, resume);
    assert!(paused.expect("pause").paused);
    assert!(!resumed.expect("resume").paused);
    let leased = world.lease_some(1).await;
    assert_eq!(leased.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
}

/// A commit takes a round trip of this.
const COMMIT: Duration = Duration::from_millis(100);

fn slow() -> World {
    let faults = Faults {
        far: true,
        delay: COMMIT,
        ..Faults::default()
    };
    World::new(Plan {
        nodes: 1,
        faults,
        ..Plan::default()
    })
}

#[tokio::test(start_paused = true)]
async fn commits_of_different_tasks_are_under_way_together() {
    let world = slow();
    let start = tokio::time::Instant::now();
    let submits = (0..limits::COMMITS_UNDER_WAY as u32).map(async |turn| {
        tokio::time::sleep(COMMIT / 10 * turn).await;
        world.submit(world.task()).await;
    });
    futures::future::join_all(submits).await;
    let took = start.elapsed();
    assert!(took < COMMIT * 2, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_commit_under_way_changes_is_waited_for_and_does_not_conflict() {
    let world = slow();
    let task = lease_on(&world, 0).await;
    let extend = async |turn: u32| {
        tokio::time::sleep(COMMIT / 10 * turn).await;
        let extend = Extend {
            task: task.id,
            lease: task.lease.as_ref().expect("a lease").id,
            duration: None,
            progress: None,
        };
        world.node(0).extend(extend).await.expect("extend");
    };
    let before = world.store.commits.load(Ordering::Relaxed);
    let other = async {
        tokio::time::sleep(COMMIT / 5).await;
        world.submit(world.task()).await;
    };
    tokio::join!(extend(0), extend(1), other);
    let commits = world.store.commits.load(Ordering::Relaxed) - before;
    assert_eq!(commits, 3, "one each");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_task_on_another_node_is_seen_soon() {
    let world = far(2);
    let task = lease_on(&world, 0).await;
    let (id, start) = (task.id, tokio::time::Instant::now());
    let ended = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        complete(world.node(0), &task).await
    };
    let waited = world.node(1).wait(id, Duration::from_secs(30));
    let (ended, waited) = tokio::join!(ended, waited);
    ended.expect("complete");
    let status = waited.expect("wait").expect("the task").status;
    assert_eq!(status, Status::Succeeded);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(150), "{took:?}");
}
