use std::time::Duration;

use russet_engine::EngineError;
use russet_engine::core::*;

use crate::world::*;

const NO_WAIT: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn any_node_serves_any_request() {
    let world = World::new(Plan {
        nodes: 3,
        partitions: 4,
        ..Plan::default()
    });
    let id = world.submit(world.task()).await;
    let leased = world
        .node(1)
        .lease(lease("w", 5, Duration::from_secs(1)))
        .await
        .expect("lease");
    assert_eq!(
        leased.iter().map(|t| (t.id, t.attempt)).collect::<Vec<_>>(),
        [(id, 1)]
    );
    let now = complete(world.node(2), &leased[0]).await.expect("complete");
    assert_eq!(now.status, Status::Succeeded);
    assert_eq!(world.get(id).await.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn stale_refused_a_lease_that_was_taken_over_cannot_finish_or_extend() {
    let world = World::new(Plan::default());
    let id = world.submit(world.task()).await;
    let first = world
        .node(0)
        .lease(lease("slow", 1, NO_WAIT))
        .await
        .expect("lease")
        .remove(0);
    let second = loop {
        let leased = world
            .node(1)
            .lease(lease("fast", 1, Duration::from_secs(60)))
            .await;
        if let Some(task) = leased.expect("lease").pop() {
            break task;
        }
    };
    assert_eq!((second.id, second.attempt, second.retry_count), (id, 2, 1));
    let refused = complete(world.node(0), &first).await;
    assert!(matches!(
        refused,
        Err(EngineError::Rejected(Rejection::StaleLease {
            attempt: 2,
            ..
        }))
    ));
    let held = first.lease.as_ref().expect("lease").id;
    let extend = Extend {
        task: id,
        lease: held,
        duration: None,
        progress: None,
    };
    let refused = world.node(0).extend(extend).await;
    assert!(matches!(
        refused,
        Err(EngineError::Rejected(Rejection::StaleLease { .. }))
    ));
    assert!(complete(world.node(0), &second).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn dedup_one_key_names_one_task_on_every_node_at_once() {
    let world = World::new(Plan {
        nodes: 4,
        partitions: 4,
        ..Plan::default()
    });
    let key = IdempotencyKey::new("order-17").expect("a key");
    let submits = (0..40).map(|at| {
        let node = world.node(at).clone();
        let mut task = world.task_with(node.new_task_id(Some(&key), None));
        let window = Window::For(Millis::from_secs(60));
        task.idempotency = Some(Idempotency {
            key: key.clone(),
            window,
        });
        async move { node.submit(one(task)).await.expect("submit") }
    });
    let replies = futures::future::join_all(submits).await;
    assert_eq!(replies.iter().filter(|reply| !reply.existing).count(), 1);
    assert!(replies.iter().all(|reply| reply.tasks == replies[0].tasks));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_for_a_task_that_another_node_accepted() {
    let world = World::new(Plan::default());
    let waiter = world.node(1).clone();
    let waiting =
        tokio::spawn(async move { waiter.lease(lease("w", 1, Duration::from_secs(50))).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = world.clock.now();
    let id = world.submit(world.task()).await;
    let leased = waiting.await.expect("join").expect("lease");
    assert_eq!(leased[0].id, id);
    assert!(world.clock.now().since(before) < Millis::new(5));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_are_submitted_together_are_leased_in_the_order_of_the_submission() {
    let world = World::new(Plan::default());
    let tasks: Vec<_> = (0..100).map(|_| world.task()).collect();
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    for submitted in world.node(1).submit_each(tasks).await {
        assert!(!submitted.expect("submit").existing);
    }
    let leased = world.node(0).lease(lease("w", 100, NO_WAIT)).await;
    let leased = leased
        .expect("lease")
        .iter()
        .map(|task| task.id)
        .collect::<Vec<_>>();
    assert_eq!(leased, ids);
}

#[tokio::test(start_paused = true)]
async fn a_worker_gets_only_what_it_can_hold() {
    let world = World::new(Plan::default());
    let cpu = ResourceName::new("cpu").expect("a name");
    for amount in [8, 3, 3, 1] {
        let mut task = world.task();
        task.resources = [(cpu.clone(), amount)].into_iter().collect();
        world.submit(task).await;
    }
    let mut request = lease("w", 10, NO_WAIT);
    request.capacity = Some([(cpu.clone(), 4)].into_iter().collect());
    let leased = world.node(0).lease(request).await.expect("lease");
    let held: u64 = leased.iter().map(|task| task.resources.amount(&cpu)).sum();
    assert!(!leased.is_empty() && held <= 4, "{held}");
}

#[tokio::test(start_paused = true)]
async fn limits_held_a_concurrency_limit_bounds_running_tasks_over_all_nodes() {
    let world = World::new(Plan {
        nodes: 3,
        ..Plan::default()
    });
    let patch = QueuePatch {
        concurrency: Some(Some(2)),
        ..QueuePatch::default()
    };
    world
        .node(0)
        .configure(queue(), patch)
        .await
        .expect("configure");
    for _ in 0..10 {
        world.submit(world.task()).await;
    }
    let polls = (0..3).map(|at| world.node(at).lease(lease("w", 5, NO_WAIT)));
    let leased = futures::future::join_all(polls).await;
    let running: usize = leased
        .into_iter()
        .map(|tasks| tasks.map_or(0, |t| t.len()))
        .sum();
    assert_eq!(running, 2);
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let world = World::new(Plan::default());
    world.submit(world.task()).await;
    let pause = |paused| QueuePatch {
        paused: Some(paused),
        ..QueuePatch::default()
    };
    world
        .node(0)
        .configure(queue(), pause(true))
        .await
        .expect("pause");
    let leased = world
        .node(1)
        .lease(lease("w", 1, Duration::from_secs(5)))
        .await;
    assert_eq!(leased.expect("lease"), []);
    world
        .node(0)
        .configure(queue(), pause(false))
        .await
        .expect("resume");
    let leased = world
        .node(1)
        .lease(lease("w", 1, Duration::from_secs(5)))
        .await;
    assert_eq!(leased.expect("lease").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_node_refuses_and_the_others_go_on() {
    let world = World::new(Plan::default());
    world.node(0).stop().await;
    let task = world.task();
    let refused = world.node(0).submit(one(task.clone())).await;
    assert_eq!(refused, Err(EngineError::Stopping));
    assert!(world.node(1).submit(one(task)).await.is_ok());
}
