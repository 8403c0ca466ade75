//! Commands on a store whose transactions are small.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::EngineError;
use russet_engine::core::*;

use crate::faulty::Faults;
use crate::gates::*;
use crate::world::*;

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

/// Bytes of a payload, and of what a store changes at once.
const LARGE: usize = 8 * 1024;
const MOST_BYTES: usize = 64 * 1024;

fn light(nodes: usize) -> World {
    World::new(Plan {
        nodes,
        faults: Faults {
            transaction_bytes: Some(MOST_BYTES),
            delay: Duration::from_micros(300),
            ..Faults::default()
        },
        ..Plan::default()
    })
}

/// A first task, many that wait for it, and a last one that waits for all of these.
fn fan(world: &World, tasks: usize) -> Submit {
    let mut submit = workflow(world, tasks, None);
    let ids: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
    for (at, task) in submit.tasks.iter_mut().enumerate() {
        task.payload = vec![b'x'; LARGE].into();
        task.dependencies = match at {
            0 => Vec::new(),
            last if last + 1 == tasks => ids[1..last].iter().copied().map(after).collect(),
            _ => vec![after(ids[0])],
        };
    }
    submit
}

#[tokio::test(start_paused = true)]
async fn a_workflow_of_large_payloads_is_stored_and_told_in_transactions_that_are_light() {
    let world = light(2);
    let submit = fan(&world, 60);
    world.node(0).submit(submit.clone()).await.expect("submit");
    assert_eq!(world.work(60).await.len(), 60);
    let known = world.node(1).workflow(id_of(&submit)).await.expect("get");
    assert_eq!(known.expect("the workflow").succeeded, 60);
}

#[tokio::test(start_paused = true)]
async fn commands_on_large_tasks_that_stand_together_are_committed_as_the_store_allows() {
    let world = light(1);
    let mut submit = fan(&world, 60);
    submit.tasks.iter_mut().for_each(|t| t.dependencies.clear());
    world.node(0).submit(submit.clone()).await.expect("submit");
    let cancels = submit.tasks.iter().map(|task| {
        world.node(0).cancel(Cancel {
            task: task.id,
            reason: None,
        })
    });
    for answer in join_all(cancels).await {
        assert_eq!(answer.expect("cancel").status, Status::Cancelled);
    }
    let known = world.node(0).workflow(id_of(&submit)).await.expect("get");
    assert_eq!(known.expect("the workflow").cancelled, 60);
    // By then the workflow's gate has let all of them through.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let redrive = world
        .node(0)
        .redrive_workflow(id_of(&submit), None, true)
        .await;
    let redriven = redrive.expect("redrive");
    assert_eq!(redriven.redriven, 60, "{:?}", redriven.refused);
    assert_eq!(world.work(60).await.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_heavy_by_itself_is_refused_with_the_limit_and_changes_nothing() {
    let world = light(1);
    let here = PartitionId(0);
    let tasks = (0..10).map(|_| NewTask {
        payload: vec![b'x'; LARGE].into(),
        ..world.task_with(world.node(0).new_task_id_in(here))
    });
    let submit = Submit {
        workflow: None,
        tasks: tasks.collect(),
    };
    let refused = world.node(0).submit(submit).await;
    let is_too_heavy = |limit| limit == MOST_BYTES as u64;
    assert!(
        matches!(
            refused,
            Err(EngineError::Rejected(Rejection::TransactionTooHeavy { limit, .. }))
                if is_too_heavy(limit)
        ),
        "{refused:?}"
    );
    assert_eq!(listed(&world).await, 0);
}
