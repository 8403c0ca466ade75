//! Records that cannot be read, or written: they fail what is about them, and nothing else.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use russet_engine::core::*;
use russet_engine::{EngineError, Listing, Order, StoreError, TaskNow, limits};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::faulty::Faults;
use crate::world::*;

impl World {
    pub fn damage_record(&self, partition: PartitionId, key: RecordKey) {
        let mut records = self.store.unreadable.lock().expect("lock");
        records.insert((partition, key));
    }

    pub fn repair_record(&self, partition: PartitionId, key: RecordKey) {
        let mut records = self.store.unreadable.lock().expect("lock");
        records.remove(&(partition, key));
    }

    fn damage(&self, task: TaskId) {
        self.damage_record(task.partition(), RecordKey::Task(task));
    }

    fn repair(&self, task: TaskId) {
        self.repair_record(task.partition(), RecordKey::Task(task));
    }

    async fn submit_in(&self, delay: Millis) -> TaskId {
        let mut task = self.task();
        task.start = Some(When::In(delay));
        self.submit(task).await
    }

    /// Leased tasks, and the node that did not lease them.
    async fn held(&self, count: usize) -> Vec<Arc<Task>> {
        let new = (0..count).map(|_| self.task()).collect();
        let submitted = self.node(0).submit_each(new).await;
        assert!(submitted.iter().all(Result::is_ok));
        let request = lease("w", count, Duration::ZERO);
        let leased = self.node(0).lease(request).await.expect("lease");
        assert_eq!(leased.len(), count);
        leased
    }

    /// Completes tasks together, each by a call of its own; the loads that it took are counted.
    async fn complete_all(&self, tasks: &[Arc<Task>]) -> (Vec<Result<TaskNow, EngineError>>, u64) {
        let before = self.store.loads.load(Ordering::Relaxed);
        let completes = tasks.iter().map(|task| {
            self.node(1).complete(Complete {
                task: task.id,
                lease: task.lease.as_ref().expect("it is leased").id,
                result: None,
                follow_ups: Vec::new(),
                progress: None,
            })
        });
        let answers = join_all(completes).await;
        (answers, self.store.loads.load(Ordering::Relaxed) - before)
    }
}

fn is_unreadable(answer: &Result<TaskNow, EngineError>) -> bool {
    matches!(
        answer,
        Err(EngineError::Store(StoreError::Unreadable { .. }))
    )
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_fails_only_the_commands_that_read_it() {
    for (far, damaged) in [
        (false, vec![333]),
        (true, vec![0]),
        (false, vec![3, 4, 511]),
    ] {
        let faults = Faults {
            far,
            ..Faults::default()
        };
        let world = World::new(Plan {
            faults,
            ..Plan::default()
        });
        let tasks = world.held(512).await;
        damaged.iter().for_each(|at| world.damage(tasks[*at].id));
        let (answers, loads) = world.complete_all(&tasks).await;
        for (at, answer) in answers.iter().enumerate() {
            match damaged.contains(&at) {
                true => assert!(is_unreadable(answer), "{at}: {answer:?}"),
                false => assert!(answer.is_ok(), "{at}: {answer:?}"),
            }
        }
        assert!(loads <= 60, "{loads} loads for {damaged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bounded_many_damaged_records_take_hardly_more_loads_than_there_are() {
    let world = World::new(Plan::default());
    let tasks = world.held(500).await;
    tasks.iter().for_each(|task| world.damage(task.id));
    let (answers, loads) = world.complete_all(&tasks).await;
    assert!(answers.iter().all(is_unreadable));
    assert!(loads <= 520, "{loads} loads");
}

#[tokio::test(start_paused = true)]
async fn bounded_nobody_waits_until_all_damaged_records_of_a_slow_store_are_found() {
    let faults = Faults {
        load_delay: Duration::from_millis(200),
        ..Faults::default()
    };
    let world = World::new(Plan {
        faults,
        ..Plan::default()
    });
    let tasks = world.held(200).await;
    tasks.iter().for_each(|task| world.damage(task.id));
    let before = world.clock.now();
    let (answers, _) = world.complete_all(&tasks).await;
    let waited = world.clock.now().since(before);
    assert!(
        waited < limits::STORE_PATIENCE + Millis::from_secs(1),
        "{waited}"
    );
    let (found, others): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| is_unreadable(answer));
    assert!(found.len() > 10, "{}", found.len());
    let unavailable =
        |error: &EngineError| matches!(error, EngineError::Store(StoreError::Unavailable { .. }));
    assert!(!others.is_empty());
    assert!(others.iter().all(|o| o.as_ref().is_err_and(unavailable)));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_whole_store_fails_all_commands_at_once() {
    let world = World::new(Plan::default());
    let tasks = world.held(100).await;
    world.store.damaged.store(true, Ordering::Relaxed);
    let (answers, loads) = world.complete_all(&tasks).await;
    let is_damaged =
        |error: &EngineError| matches!(error, EngineError::Store(StoreError::Damaged { .. }));
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(is_damaged))
    );
    assert!(loads <= 3, "{loads} loads");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_be_stored_fails_alone() {
    let world = World::new(Plan::default());
    let tasks = world.held(100).await;
    let large = (tasks[70].id.partition(), RecordKey::Task(tasks[70].id));
    world.store.too_large.lock().expect("lock").insert(large);
    let (answers, _) = world.complete_all(&tasks).await;
    for (at, answer) in answers.iter().enumerate() {
        let is_too_large =
            |error: &EngineError| matches!(error, EngineError::Store(StoreError::TooLarge { .. }));
        assert_eq!(
            answer.as_ref().is_err_and(is_too_large),
            at == 70,
            "{answer:?}"
        );
        assert_eq!(answer.is_ok(), at != 70, "{answer:?}");
    }
}

/// How late a task can be leased that starts at `start`; only that one is ready.
async fn lateness(world: &World, id: TaskId, start: Timestamp) -> Millis {
    let request = lease("w", 1, Duration::from_secs(60));
    let leased = world.node(1).lease(request).await.expect("lease");
    assert_eq!(leased.first().map(|task| task.id), Some(id));
    complete(world.node(0), &leased[0]).await.expect("complete");
    world.clock.now().since(start)
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_does_not_hold_up_the_timers_of_others() {
    let world = World::new(Plan::default());
    let now = world.clock.now();
    let seconds = Millis::from_secs;
    let bad = world.submit_in(seconds(2)).await;
    world.damage(bad);
    for delay in [2, 5, 9] {
        let start = now + seconds(delay);
        let id = world.submit_in(start.since(world.clock.now())).await;
        let late = lateness(&world, id, start).await;
        assert!(late <= Millis::new(50), "{late} late after {delay} s");
    }
    world.repair(bad);
    let repaired = world.clock.now();
    let late = lateness(&world, bad, repaired).await;
    assert!(late <= limits::HELD_TIMER_PAUSE + seconds(2), "{late}");
}

#[tokio::test(start_paused = true)]
async fn bounded_more_damaged_records_than_one_look_finds_do_not_hold_up_the_timers_of_others() {
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let new = (0..limits::TIMER_BATCH + 100).map(|_| NewTask {
        start: Some(When::In(Millis::from_secs(2))),
        ..world.task()
    });
    for submitted in world.node(0).submit_each(new.collect()).await {
        world.damage(submitted.expect("submit").tasks[0]);
    }
    let start = world.clock.now() + Millis::from_secs(3);
    let id = world.submit_in(Millis::from_secs(3)).await;
    let late = lateness(&world, id, start).await;
    assert!(late <= Millis::new(50), "{late}");
    let before = world.store.loads.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let loads = world.store.loads.load(Ordering::Relaxed) - before;
    assert!(loads <= 60 * 30, "{loads} loads in a minute");
}

/// Counts what is told as an error.
#[derive(Clone, Default)]
pub struct Errors(Arc<Mutex<Vec<String>>>);

impl Errors {
    pub fn told(&self) -> Vec<String> {
        self.0.lock().expect("lock").clone()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            let mut told = String::new();
            event.record(
                &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                    told += &format!("{field}={value:?} ");
                },
            );
            self.0.lock().expect("lock").push(told);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_cannot_be_fired_is_told_once_with_the_record_and_what_to_do() {
    let errors = Errors::default();
    let subscriber = tracing_subscriber::registry().with(errors.clone());
    let _listening = tracing::subscriber::set_default(subscriber);
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    let bad = world.submit_in(Millis::from_secs(1)).await;
    world.damage(bad);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let told = errors.told();
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        told.contains(&bad.to_string()) && told.contains("restore it"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_is_left_out_of_a_list_and_all_others_are_in_it() {
    let world = World::new(Plan::default());
    let tasks = world.held(300).await;
    for at in [0, 150, 299] {
        world.damage(tasks[at].id);
    }
    let (mut listing, mut listed) = (
        Listing {
            queue: None,
            status: None,
            workflow: None,
            after: None,
            limit: 300,
            order: Order::Oldest,
        },
        Vec::new(),
    );
    loop {
        let page = world.node(1).list(listing.clone()).await.expect("lists");
        listed.extend(page.items.iter().map(|task| task.id));
        let Some(next) = page.next else { break };
        listing.after = Some(next);
    }
    let mut others: Vec<_> = tasks.iter().map(|task| task.id).collect();
    others.retain(|id| ![0, 150, 299].map(|at| tasks[at].id).contains(id));
    others.sort();
    assert_eq!(listed, others);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_does_not_stop_leases_of_others() {
    for (split, max) in [(false, 1), (false, 100), (true, 1), (true, 100)] {
        let world = World::new(Plan {
            nodes: 1,
            partitions: 2,
            split,
            ..Plan::default()
        });
        let mut ids = Vec::new();
        for _ in 0..100 {
            ids.push(world.submit(world.task()).await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for at in [0, 1, 40, 90] {
            world.damage(ids[at]);
        }
        let (mut leased, mut requests) = (0, 0);
        while leased < 96 {
            let request = lease("w", max, Duration::ZERO);
            let some = world.node(0).lease(request).await.expect("lease");
            assert!(!some.is_empty(), "after {leased}, split {split}");
            leased += some.len();
            requests += 1;
        }
        assert!(
            requests <= 15.max(96 / max),
            "{requests} requests, split {split}"
        );
        let rest = lease("w", max, Duration::from_secs(5));
        assert_eq!(world.node(0).lease(rest).await, Ok(Vec::new()));
        ids.iter().for_each(|id| world.repair(*id));
        let request = lease("w", 1, Duration::from_secs(60));
        let repaired = world.node(0).lease(request).await.expect("lease");
        assert_eq!(repaired.len(), 1, "split {split}");
    }
}
