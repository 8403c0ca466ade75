use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::core::*;
use russet_engine::{CancelledWorkflow, EngineError, Scheduler, TaskNow, limits};

use crate::faulty::Faults;
use crate::redriving::large;
use crate::world::*;

fn all(tasks: u64) -> CancelledWorkflow {
    CancelledWorkflow {
        cancelled: tasks,
        asked: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_is_cancelled_whole_also_where_listings_are_behind() {
    let world = World::new(Plan {
        faults: Faults {
            unlisted: 700,
            ..Faults::default()
        },
        ..Plan::default()
    });
    let large = large(&world, 150, 150);
    large.submit(&world).await;
    let node = world.node(0);
    let done = node.cancel_workflow(large.workflow, Some("not now")).await;
    assert_eq!(done, Ok(all(301)));
    let again = node.cancel_workflow(large.workflow, None).await;
    assert_eq!(again, Ok(all(0)));
    let root = world.get(large.root).await;
    let error = root.last_error.as_ref().expect("an error");
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::Cancelled, "not now")
    );
}

/// A store that shows what it may still lose: what it shows is no acknowledgement.
#[tokio::test(start_paused = true)]
async fn no_loss_a_cancel_that_finds_its_tasks_cancelled_is_not_answered_before_that_is_safe() {
    let world = World::new(Plan {
        faults: Faults {
            unconfirmed: 1_000,
            ..Faults::default()
        },
        ..Plan::default()
    });
    let large = large(&world, 2, 0);
    large.submit(&world).await;
    let cancel = || world.node(0).cancel_workflow(large.workflow, None);
    let first = cancel().await.expect("its own commits vouch for it");
    assert_eq!(first, all(3));
    let again = cancel().await.expect_err("nothing vouches for it");
    assert!(again.to_string().contains("not safe"), "{again}");
}

/// The handler is older than what it is for, and listed before it.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_failure_does_not_start_because_of_a_cancel() {
    let world = World::new(Plan::default());
    let node = world.node(0);
    let workflow = node.new_workflow_id(None, None);
    let new_id = || node.new_task_id_in(workflow.partition());
    let (handler, main) = (new_id(), new_id());
    let mut after = world.task_with(handler);
    after.dependencies = vec![Dependency {
        task: main,
        on: DependencyOn::Failure,
    }];
    let new = NewWorkflow {
        id: workflow,
        name: None,
        idempotency: None,
    };
    let submit = Submit {
        workflow: Some(new),
        tasks: vec![after, world.task_with(main)],
    };
    node.submit(submit).await.expect("is accepted");
    let done = node.cancel_workflow(workflow, None).await;
    assert_eq!(done, Ok(all(2)));
    let queued = world.account.of(handler).contains(&EventKind::Queued);
    assert!(!queued, "{:?}", world.account.of(handler));
}

#[tokio::test(start_paused = true)]
async fn a_workflow_of_more_tasks_than_are_on_a_page_is_cancelled_whole() {
    let world = World::new(Plan::default());
    let tasks = limits::PAGE_TASKS + limits::REDRIVE_TASKS + 50;
    let large = large(&world, tasks - 1, 0);
    large.submit(&world).await;
    let done = world.node(0).cancel_workflow(large.workflow, None).await;
    assert_eq!(done, Ok(all(tasks as u64)));
    let record = world.node(0).workflow(large.workflow).await;
    let record = record.expect("answers").expect("exists");
    assert_eq!((record.cancelled as usize, record.live()), (tasks, 0));
}

/// Ends a task, and adds others to its workflow.
async fn grow(node: &Scheduler, task: &Task, more: Vec<NewTask>) -> Result<TaskNow, EngineError> {
    let complete = Complete {
        task: task.id,
        lease: task.lease.as_ref().expect("a lease").id,
        result: None,
        follow_ups: more,
        progress: None,
    };
    node.complete(complete).await
}

/// A workflow whose root runs, in a store that takes its time for each commit: a round of its
/// cancel takes three of them.
async fn running() -> (World, WorkflowId, Arc<Task>) {
    let world = World::new(Plan {
        faults: Faults {
            delay: COMMIT,
            ..Faults::default()
        },
        ..Plan::default()
    });
    let large = large(&world, 250, 0);
    large.submit(&world).await;
    let root = world.lease_some(0).await.remove(0);
    assert_eq!(root.id, large.root);
    (world, large.workflow, root)
}

const COMMIT: Duration = Duration::from_millis(20);

/// Children come first: the root is asked in the last step of a round.
#[tokio::test(start_paused = true)]
async fn what_a_running_task_adds_while_its_workflow_is_cancelled_is_cancelled_too() {
    let (world, workflow, root) = running().await;
    let node = world.node(0);
    let new_id = || node.new_task_id_in(workflow.partition());
    let more: Vec<_> = (0..50).map(|_| world.task_with(new_id())).collect();
    let grow = async {
        tokio::time::sleep(COMMIT / 2).await;
        grow(node, &root, more.clone()).await
    };
    let (done, grown) = tokio::join!(node.cancel_workflow(workflow, None), grow);
    assert_eq!(grown.expect("is not stopped yet").status, Status::Succeeded);
    assert_eq!(done, Ok(all(250 + 50)));
    for task in more {
        assert_eq!(world.get(task.id).await.status, Status::Cancelled);
    }
}

/// Who adds tasks all the time are not run after for as long as they do.
#[tokio::test(start_paused = true)]
async fn bounded_a_cancel_of_a_workflow_that_goes_on_growing_ends() {
    let (world, workflow, root) = running().await;
    let node = world.node(0);
    grow(node, &root, Vec::new()).await.expect("completes");
    // All of its children are told of that.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = node.lease(lease("w", 250, Duration::from_secs(1))).await;
    let held = held.expect("leases");
    assert_eq!(held.len(), 250);
    let grown = Cell::new(0);
    let growing = join_all(held.iter().zip(0u32..).map(async |(task, at)| {
        tokio::time::sleep(COMMIT / 4 * at).await;
        let more = world.task_with(node.new_task_id_in(workflow.partition()));
        grow(node, task, vec![more]).await.expect("completes");
        grown.set(grown.get() + 1);
    }));
    let done = tokio::select! {
        _ = growing => panic!("it grew for as long as it could"),
        done = node.cancel_workflow(workflow, None) => done.expect("ends"),
    };
    let grown = grown.get();
    assert!(grown > 0 && done.cancelled > 0, "{grown} more: {done:?}");
}
