use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{Backend, Configuration, ONLY_NODE, Scheduler};

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_timer_fires_at_most_50_ms_late() {
    let world = World::new(Plan::default());
    for delay in [1, 40, 700, 5_000, 61_000] {
        let mut task = world.task();
        task.start = Some(When::In(Millis::new(delay)));
        let before = world.clock.now();
        let id = world.submit(task).await;
        let leased = loop {
            let leased = world
                .node(1)
                .lease(lease("w", 1, Duration::from_secs(60)))
                .await;
            if let Some(task) = leased.expect("lease").pop() {
                break task;
            }
        };
        let waited = world.clock.now().since(before).as_millis();
        assert!(
            (delay..=delay + 50).contains(&waited),
            "{waited} ms instead of {delay}"
        );
        assert_eq!(leased.id, id);
        complete(world.node(0), &leased).await.expect("complete");
    }
}

#[tokio::test(start_paused = true)]
async fn timers_of_a_node_that_is_gone_are_fired_by_another() {
    let mut world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let mut task = world.task();
    task.start = Some(When::In(Millis::from_secs(10)));
    let id = world.submit(task).await;
    world.node(0).stop().await;
    world.start_node();
    let leased = world
        .node(1)
        .lease(lease("w", 1, Duration::from_secs(60)))
        .await
        .expect("lease");
    assert_eq!(leased.first().map(|task| task.id), Some(id));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_leaves_its_timers_to_another_at_once() {
    let world = World::new(Plan::default());
    let mut task = world.task();
    task.start = Some(When::In(Millis::from_secs(7)));
    let submitted = world.clock.now();
    let id = world.submit(task).await;
    tokio::time::sleep(Duration::from_millis(5_900)).await;
    for stopped in 0..2 {
        if stopped == 0 {
            world.node(0).stop().await;
        }
        let leased = world
            .node(1)
            .lease(lease("w", 1, Duration::from_secs(1)))
            .await
            .expect("lease");
        assert!(leased.iter().all(|task| task.id == id));
        if !leased.is_empty() {
            let waited = world.clock.now().since(submitted).as_millis();
            assert!((7_000..=7_050).contains(&waited), "{waited} ms");
            return;
        }
    }
    panic!("nobody fired the timer");
}

#[tokio::test(start_paused = true)]
async fn bounded_retry_a_task_whose_worker_always_dies_is_dead_after_its_retries() {
    let world = World::new(Plan::default());
    let mut task = world.task();
    task.retry.max_retries = 3;
    let id = world.submit(task).await;
    let mut attempts = 0;
    loop {
        let leased = world
            .node(attempts)
            .lease(lease("w", 1, Duration::from_secs(60)))
            .await;
        attempts += leased.expect("lease").len();
        if world.get(id).await.status == Status::Dead {
            break;
        }
    }
    let dead = world.get(id).await;
    assert_eq!((attempts, dead.attempt, dead.retry_count), (4, 4, 3));
    assert_eq!(
        dead.last_error.as_ref().map(|e| e.kind),
        Some(ErrorKind::LeaseExpired)
    );
}

#[tokio::test(start_paused = true)]
async fn ended_tasks_are_purged_when_their_retention_is_over() {
    let world = World::new(Plan::default());
    let mut task = world.task();
    task.retention = Some(Millis::from_secs(30));
    let id = world.submit(task).await;
    world.work(1).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(world.node(0).get(id).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn the_only_node_of_a_store_writes_next_to_nothing_while_it_is_idle() {
    let world = World::new(Plan {
        nodes: 0,
        ..Plan::default()
    });
    let backend = Backend {
        store: world.store.clone(),
        queue: world.queue.clone(),
    };
    let configuration = Configuration {
        node: Some(ONLY_NODE),
        ..Configuration::default()
    };
    let entropy = Arc::new(Seeded::new(1));
    let node = Scheduler::start(backend, configuration, world.clock.clone(), entropy);
    tokio::time::sleep(Duration::from_secs(6 * 3_600)).await;
    let commits = world.store.commits.load(Ordering::Relaxed);
    assert!(commits <= 370, "{commits} commits in six hours");
    node.stop().await;
}
