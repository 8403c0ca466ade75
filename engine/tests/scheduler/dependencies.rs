use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{EngineError, StoreError};

use crate::faulty::Faults;
use crate::world::*;

fn after(task: TaskId, on: DependencyOn) -> Dependency {
    Dependency { task, on }
}

#[tokio::test(start_paused = true)]
async fn order_a_task_waits_for_parents_in_other_partitions() {
    let world = World::new(Plan {
        nodes: 3,
        partitions: 4,
        ..Plan::default()
    });
    let ids: Vec<_> = (0..4)
        .map(|p| world.node(0).new_task_id_in(PartitionId(p)))
        .collect();
    for parent in &ids[..3] {
        world.submit(world.task_with(*parent)).await;
    }
    let mut child = world.task_with(ids[3]);
    child.dependencies = ids[..3]
        .iter()
        .map(|id| after(*id, DependencyOn::Success))
        .collect();
    world.submit(child).await;
    assert_eq!(world.get(ids[3]).await.status, Status::Blocked);
    world.work(4).await;
    let child = world.get(ids[3]).await;
    for parent in &ids[..3] {
        let parent = world.get(*parent).await;
        assert!(parent.completed_at <= child.started_at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_does_not_exist_elsewhere_cancels_its_dependent() {
    let world = World::new(Plan {
        partitions: 2,
        ..Plan::default()
    });
    let nobody = world.node(0).new_task_id_in(PartitionId(0));
    let mut child = world.task_with(world.node(0).new_task_id_in(PartitionId(1)));
    child.dependencies = vec![after(nobody, DependencyOn::Success)];
    let child = world.submit(child).await;
    let ended = world
        .node(0)
        .wait(child, std::time::Duration::from_secs(30))
        .await;
    assert_eq!(
        ended.expect("wait").expect("task").status,
        Status::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn a_parent_in_a_partition_that_does_not_exist_is_refused() {
    let world = World::new(Plan {
        partitions: 2,
        ..Plan::default()
    });
    let nobody = world.node(0).new_task_id_in(PartitionId(2));
    let mut child = world.task();
    child.dependencies = vec![after(nobody, DependencyOn::Success)];
    let refused = world.node(0).submit(one(child)).await;
    let Err(EngineError::Rejected(Rejection::Invalid(invalid))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(invalid.field, "dependencies");
    assert_eq!(invalid.limit, "ids of this store, which has 2 partitions");
}

#[tokio::test(start_paused = true)]
async fn a_wide_workflow_ends_with_every_task_done_once() {
    let faults = Faults {
        conflict: 100,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 3,
        faults,
        ..Plan::default()
    });
    let workflow = world.node(0).new_workflow_id(None, None);
    let id = || world.node(0).new_task_id_in(workflow.partition());
    let (root, join) = (id(), id());
    let middle: Vec<_> = (0..400).map(|_| id()).collect();
    let mut tasks = vec![world.task_with(root)];
    for id in &middle {
        let mut task = world.task_with(*id);
        task.dependencies = vec![after(root, DependencyOn::Success)];
        tasks.push(task);
    }
    let mut last = world.task_with(join);
    last.dependencies = middle
        .iter()
        .map(|id| after(*id, DependencyOn::Success))
        .collect();
    tasks.push(last);
    let new = NewWorkflow {
        id: workflow,
        name: None,
        idempotency: None,
    };
    let submit = Submit {
        workflow: Some(new),
        tasks,
    };
    let submitted = world.node(1).submit(submit).await.expect("submit");
    assert_eq!(submitted.tasks.len(), 402);
    world.work(402).await;
    let record = world
        .node(2)
        .workflow(workflow)
        .await
        .expect("get")
        .expect("workflow");
    assert_eq!(
        (record.tasks, record.succeeded, record.live()),
        (402, 402, 0)
    );
    let join = world.get(join).await;
    assert_eq!(
        world.node(0).dependencies(&join).await.expect("get").len(),
        400
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_spreads_through_a_chain_by_timers() {
    let world = World::new(Plan::default());
    let workflow = world.node(0).new_workflow_id(None, None);
    let ids: Vec<_> = (0..20)
        .map(|_| world.node(0).new_task_id_in(workflow.partition()))
        .collect();
    let tasks = ids.iter().enumerate().map(|(at, id)| {
        let mut task = world.task_with(*id);
        task.dependencies = ids[..at]
            .last()
            .map(|parent| after(*parent, DependencyOn::Success))
            .into_iter()
            .collect();
        task
    });
    let new = NewWorkflow {
        id: workflow,
        name: None,
        idempotency: None,
    };
    let submit = Submit {
        workflow: Some(new),
        tasks: tasks.collect(),
    };
    world.node(0).submit(submit).await.expect("submit");
    world
        .node(0)
        .cancel(Cancel {
            task: ids[0],
            reason: None,
        })
        .await
        .expect("cancel");
    let last = world
        .node(1)
        .wait(ids[19], std::time::Duration::from_secs(60))
        .await;
    assert_eq!(last.expect("wait").expect("task").status, Status::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn order_a_cycle_through_several_partitions_is_refused_with_its_path() {
    let world = World::new(Plan {
        partitions: 3,
        ..Plan::default()
    });
    let ids: Vec<_> = (0..5)
        .map(|at| world.node(0).new_task_id_in(PartitionId(at % 3)))
        .collect();
    // 0 -> 1 -> 2 -> 0, 3 behind it, and 4 by itself.
    let parents = [Some(1), Some(2), Some(0), Some(0), None];
    let tasks = ids
        .iter()
        .zip(parents)
        .map(|(id, parent): (_, Option<usize>)| {
            let mut task = world.task_with(*id);
            let edge = parent.map(|at| after(ids[at], DependencyOn::Success));
            task.dependencies = edge.into_iter().collect();
            task
        });
    let answers = world.node(0).submit_each(tasks.collect()).await;
    for answer in &answers[..4] {
        let Err(EngineError::Rejected(Rejection::Cycle { path })) = answer else {
            panic!("accepted: {answer:?}");
        };
        assert_eq!((path.len(), path.first()), (4, path.last()));
    }
    assert_eq!(answers[4].as_ref().expect("is accepted").tasks, [ids[4]]);
    for id in &ids[..4] {
        assert_eq!(world.node(0).get(*id).await.expect("answers"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn order_a_task_of_a_batch_does_not_miss_its_parent_in_a_partition_that_is_slower() {
    let world = World::new(Plan {
        nodes: 1,
        partitions: 2,
        faults: Faults {
            far: true,
            ..Faults::default()
        },
        ..Plan::default()
    });
    let slow = (PartitionId(0), Duration::from_millis(300));
    world.store.slow.lock().expect("lock").extend([slow]);
    let [parent, child] = [0, 1].map(|p| world.node(0).new_task_id_in(PartitionId(p)));
    let mut after_parent = world.task_with(child);
    after_parent.dependencies = vec![after(parent, DependencyOn::Success)];
    let batch = vec![after_parent, world.task_with(parent)];
    let submitted = world.node(0).submit_each(batch).await;
    assert!(submitted.iter().all(Result::is_ok), "{submitted:?}");
    assert_eq!(submitted[0].as_ref().map(|own| own.tasks[0]), Ok(child));
    world.work(2).await;
    assert_eq!(world.get(child).await.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn order_a_task_of_a_batch_is_put_off_with_its_parent_in_a_partition_that_is_down() {
    let world = World::new(Plan {
        nodes: 1,
        partitions: 2,
        ..Plan::default()
    });
    let [parent, child] = [0, 1].map(|p| world.node(0).new_task_id_in(PartitionId(p)));
    let mut after_parent = world.task_with(child);
    after_parent.dependencies = vec![after(parent, DependencyOn::Success)];
    let batch = vec![after_parent, world.task_with(parent)];
    let down = |is: bool| {
        let mut down = world.store.down.lock().expect("lock");
        match is {
            true => down.insert(PartitionId(0)),
            false => down.remove(&PartitionId(0)),
        }
    };
    down(true);
    let refused = world.node(0).submit_each(batch.clone()).await;
    let is_off = |result: &Result<_, EngineError>| {
        matches!(
            result,
            Err(EngineError::Store(StoreError::Unavailable { .. }))
        )
    };
    assert!(refused.iter().all(is_off), "{refused:?}");
    down(false);
    assert_eq!(world.node(0).get(child).await, Ok(None));
    let submitted = world.node(0).submit_each(batch).await;
    assert!(submitted.iter().all(Result::is_ok), "{submitted:?}");
    world.work(2).await;
    assert_eq!(world.get(child).await.status, Status::Succeeded);
}

/// A parent of many children, and one of a single child, each in partitions of their own.
async fn waited_with_slow(busy: (u16, u16), quick: (u16, u16), slow: u16) -> Millis {
    let world = World::new(Plan {
        nodes: 1,
        partitions: 4,
        ..Plan::default()
    });
    let id = |partition| world.node(0).new_task_id_in(PartitionId(partition));
    let parents = [id(busy.0), id(quick.0)];
    for parent in parents {
        world.submit(world.task_with(parent)).await;
    }
    let child_of = async |parent, partition| {
        let mut child = world.task_with(id(partition));
        child.dependencies = vec![after(parent, DependencyOn::Success)];
        world.submit(child).await
    };
    for _ in 0..20 {
        child_of(parents[0], busy.1).await;
    }
    let child = child_of(parents[1], quick.1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut leased = world.lease_some(0).await;
    leased.extend(world.lease_some(0).await);
    leased.sort_by_key(|task| task.id != parents[0]);
    assert_eq!(leased.len(), 2);
    complete(world.node(0), &leased[0]).await.expect("complete");
    let slow = (PartitionId(slow), Duration::from_secs(3));
    world.store.slow.lock().expect("lock").extend([slow]);
    complete(world.node(0), &leased[1]).await.expect("complete");
    let before = world.clock.now();
    while world.get(child).await.status == Status::Blocked {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.clock.now().since(before)
}

#[tokio::test(start_paused = true)]
async fn messages_to_or_from_a_partition_that_is_slow_hold_up_no_others() {
    for (busy, quick, slow) in [
        // To another target, and to the same.
        ((0, 2), (0, 1), 2),
        ((0, 1), (2, 1), 0),
    ] {
        let waited = waited_with_slow(busy, quick, slow).await;
        assert!(
            waited < Millis::from_secs(1),
            "{busy:?} {quick:?}: {waited:?}"
        );
    }
}
