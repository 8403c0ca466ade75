//! Counters, and whether all indexes agree with the records.

use std::time::Duration;

use russet_core::{RecordKey, Status, Task, Timestamp};

use crate::conformance::Factory;
use crate::conformance::fixtures::{cpus, lane, queue_name, remove};
use crate::conformance::model::Model;
use crate::conformance::world::{FIRST, SECOND, World};

/// Counters follow every change, and queues without tasks are not named.
pub async fn stats_count_by_queue_and_status(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    assert_eq!(world.stats().await.queues, []);
    let mut tasks = Vec::new();
    for n in 0..10 {
        let task = Task {
            queue: queue_name(["a", "b"][usize::from(n >= 7)]),
            ..world.task([FIRST, SECOND][n % 2])
        };
        world.create(&task).await;
        tasks.push(task.id);
    }
    world.edit(tasks[0], |t| t.status = Status::Succeeded).await;
    world.edit(tasks[1], |t| t.status = Status::Succeeded).await;
    world.edit(tasks[9], |t| t.status = Status::Dead).await;

    let stats = world.stats().await;
    let names: Vec<_> = stats.queues.iter().map(|q| q.queue.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let counts = |status| [0, 1].map(|n: usize| stats.queues[n].count(status));
    assert_eq!(counts(Status::Running), [5, 2]);
    assert_eq!(counts(Status::Succeeded), [2, 0]);
    assert_eq!(counts(Status::Dead), [0, 1]);

    for id in &tasks[7..] {
        let before = world.load_task(*id).await;
        let removal = remove(RecordKey::Task(*id), before);
        world.change(id.partition(), vec![removal]).await;
    }
    let stats = world.stats().await;
    let names: Vec<_> = stats.queues.iter().map(|q| q.queue.as_str()).collect();
    assert_eq!(names, ["a"]);
}

/// Over lanes and partitions, and from the first task of each lane.
pub async fn the_oldest_ready_task_of_a_queue_is_known(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let oldest = async || {
        let mut queues = world.stats().await.queues.into_iter();
        queues.find_map(|q| q.oldest_ready_at.map(Timestamp::as_millis))
    };
    world.create(&world.task(FIRST)).await;
    assert_eq!(oldest().await, None);
    let mut ids = Vec::new();
    for (partition, lane, ready_at) in [
        (FIRST, lane("emails"), 70),
        (SECOND, lane("emails"), 50),
        (FIRST, cpus("emails", 2), 40),
        (SECOND, cpus("emails", 3), 60),
        (FIRST, lane("emails"), 90),
    ] {
        let task = Task {
            ready_at: Some(Timestamp::from_millis(ready_at)),
            ..world.ready(partition, &lane, ready_at as i64)
        };
        world.announce(std::slice::from_ref(&task)).await;
        ids.push(task.id);
    }
    assert_eq!(oldest().await, Some(40));
    if world.queue.is_fused() {
        world.edit(ids[2], |t| t.status = Status::Running).await;
        assert_eq!(oldest().await, Some(50));
        let hidden = world.receive(&[lane("emails")], 1, Duration::ZERO).await;
        assert_eq!(hidden.len(), 1);
        assert_eq!(oldest().await, Some(50), "delivered is not started");
    }
}

/// Random batches: after each few, everything that the store says equals what its records say.
pub async fn indexes_and_counters_agree_with_the_records(factory: &dyn Factory) {
    const ROUNDS: usize = 12;
    let world = World::new(factory, 2).await;
    let mut model = Model::default();
    for _ in 0..ROUNDS {
        model.disturb(&world, 15).await;
        model.check(&world).await;
    }
}
