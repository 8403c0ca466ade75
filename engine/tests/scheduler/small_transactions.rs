//! Commands on a store whose transactions are small.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::EngineError;
use russet_engine::core::*;

use crate::faulty::Faults;
use crate::gates::*;

#[tokio::test(start_paused = true)]
async fn a_wide_workflow_is_told_in_steps_that_fit_the_store_by_nodes_that_load_slowly() {
    let faults = Faults {
        load_delay: Duration::from_millis(20),
        ..Faults::default()
    };
    let world = small(3, 1, faults);
    let mut submit = workflow(&world, 402, None);
    let ids: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
    for (at, task) in submit.tasks.iter_mut().enumerate() {
        task.dependencies = match at {
            0 => Vec::new(),
            401 => ids[1..401].iter().copied().map(after).collect(),
            _ => vec![after(ids[0])],
        };
    }
    world.node(1).submit(submit.clone()).await.expect("submit");
    let completed = world.work(402).await;
    assert_eq!(completed.len(), 402);
    let join = world.get(ids[401]).await;
    assert_eq!((join.dependencies.pending, join.attempt), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_by_itself_is_refused_with_the_limit_and_changes_nothing() {
    let world = small(1, 1, Faults::default());
    let here = PartitionId(0);
    let tasks = (0..30).map(|_| world.task_with(world.node(0).new_task_id_in(here)));
    let submit = Submit {
        workflow: None,
        tasks: tasks.collect(),
    };
    let refused = world.node(0).submit(submit.clone()).await;
    let too_large = Rejection::TransactionTooLarge {
        changes: 30,
        limit: MOST as u64,
    };
    assert_eq!(refused, Err(EngineError::Rejected(too_large)));
    assert_eq!(listed(&world).await, 0);
    let mut cycle = workflow(&world, 100, Some(key()));
    cycle.tasks[1].dependencies = vec![after(cycle.tasks[99].id)];
    cycle.tasks[99].dependencies = vec![after(cycle.tasks[1].id)];
    let refused = world.node(0).submit(cycle.clone()).await;
    assert!(
        matches!(refused, Err(EngineError::Rejected(Rejection::Cycle { .. }))),
        "{refused:?}"
    );
    assert_eq!(left(&world, &cycle).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_commands_on_one_record_are_committed_as_the_store_allows() {
    let world = small(1, 1, Faults::default());
    let submit = workflow(&world, 1_000, None);
    let mut flat = submit.clone();
    flat.tasks.iter_mut().for_each(|t| t.dependencies.clear());
    world.node(0).submit(flat.clone()).await.expect("submit");
    let before = world.store.commits.load(Ordering::Relaxed);
    let cancels = flat.tasks.iter().map(|task| {
        world.node(0).cancel(Cancel {
            task: task.id,
            reason: None,
        })
    });
    for answer in join_all(cancels).await {
        assert_eq!(answer.expect("cancel").status, Status::Cancelled);
    }
    let commits = world.store.commits.load(Ordering::Relaxed) - before;
    assert!(commits < 150, "{commits} commits");
    let known = world.node(0).workflow(id_of(&flat)).await.expect("get");
    assert_eq!(known.expect("the workflow").cancelled, 1_000);
}
