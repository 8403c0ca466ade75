use russet_engine::CancelledWorkflow;
use russet_engine::core::*;

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
