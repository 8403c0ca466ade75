use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use russet_backends::memory::Memory;
use russet_engine::core::*;
use russet_engine::{Backend, Clock, Configuration, ONLY_NODE, Scheduler};

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

/// A clock that can be set.
struct Settable {
    right: TokioClock,
    behind_ms: AtomicU64,
}

#[async_trait::async_trait]
impl Clock for Settable {
    fn now(&self) -> Timestamp {
        self.right.now() - Millis::new(self.behind_ms.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A node with such a clock, and a task that is due after a while.
async fn settable(due: Millis) -> (Scheduler, Arc<Settable>, TaskId) {
    let clock = Arc::new(Settable {
        right: TokioClock(tokio::time::Instant::now()),
        behind_ms: AtomicU64::new(0),
    });
    let memory = Memory::new(1, clock.clone());
    let backend = Backend {
        store: memory.clone(),
        queue: memory,
    };
    let entropy = Arc::new(Seeded::new(7));
    let node = Scheduler::start(backend, Configuration::default(), clock.clone(), entropy);
    let id = node.new_task_id(None, None);
    let mut task = NewTask::new(id, kind(), queue(), b"{}".as_slice().into());
    task.start = Some(When::In(due));
    node.submit(one(task)).await.expect("submit");
    (node, clock, id)
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_for_a_while_puts_no_timer_to_sleep() {
    let start = tokio::time::Instant::now();
    let (node, clock, id) = settable(Millis::from_secs(20)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let two_hours = 2 * 3_600_000;
    clock.behind_ms.store(two_hours, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    clock.behind_ms.store(0, Ordering::Relaxed);
    let waited = async || {
        while node.get(id).await.expect("get").expect("exists").status == Status::Scheduled {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    };
    let waited = waited().await;
    assert!(waited < Duration::from_secs(22), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_wait_longer_by_it() {
    let start = tokio::time::Instant::now();
    let (node, clock, id) = settable(Millis::from_secs(86_400)).await;
    // So that there is a lane that is waited at.
    let first = NewTask::new(
        node.new_task_id(None, None),
        kind(),
        queue(),
        b"{}".as_slice().into(),
    );
    node.submit(one(first)).await.expect("submit");
    let leased = node.lease(lease("w", 1, Duration::ZERO)).await;
    assert_eq!(leased.expect("lease").len(), 1);
    let setting = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        clock.behind_ms.store(2 * 3_600_000, Ordering::Relaxed);
    };
    let wait = Duration::from_secs(30);
    let (leased, waited, ()) = tokio::join!(
        node.lease(lease("w", 1, wait)),
        node.wait(id, wait),
        setting
    );
    assert_eq!(leased, Ok(Vec::new()));
    assert!(waited.expect("waits").is_some());
    assert!(start.elapsed() < 3 * wait, "{:?}", start.elapsed());
}
