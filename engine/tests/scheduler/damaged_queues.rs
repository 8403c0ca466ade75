//! Settings of a queue that cannot be read: its tasks do not start, and all others do.

use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{EngineError, LeaseRequest, StoreError};
use tracing_subscriber::layer::SubscriberExt;

use crate::damage::Errors;
use crate::faulty::Faults;
use crate::world::*;

const FIRST: PartitionId = PartitionId(0);

fn named(name: &str) -> QueueName {
    QueueName::new(name).expect("a name")
}

/// A queue whose settings are stored.
async fn configured(world: &World, name: &str) -> QueueName {
    let patch = QueuePatch {
        concurrency: Some(Some(50)),
        ..QueuePatch::default()
    };
    let configured = world.node(0).configure(named(name), patch).await;
    configured.expect("it is configured");
    named(name)
}

async fn submit_to(world: &World, queue: &QueueName, partition: PartitionId) -> TaskId {
    let mut task = world.task_with(world.node(0).new_task_id_in(partition));
    task.queue = queue.clone();
    world.submit(task).await
}

fn lease_of(queues: &[&QueueName], wait: Duration) -> LeaseRequest {
    LeaseRequest {
        queues: queues.iter().map(|queue| (*queue).clone()).collect(),
        ..lease("w", 10, wait)
    }
}

async fn leased(world: &World, queues: &[&QueueName], wait: Duration) -> Vec<TaskId> {
    let leased = world.node(1).lease(lease_of(queues, wait)).await;
    let mut ids: Vec<_> = leased.expect("lease").iter().map(|task| task.id).collect();
    ids.sort();
    ids
}

fn key(queue: &QueueName) -> RecordKey {
    RecordKey::Queue(queue.clone())
}

fn far(is_far: bool, partitions: u16) -> World {
    World::new(Plan {
        partitions,
        faults: Faults {
            far: is_far,
            ..Faults::default()
        },
        ..Plan::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_damaged_queue_is_refused_by_its_name_and_others_are_served() {
    for is_far in [false, true] {
        let world = far(is_far, 1);
        let (bad, good) = (
            configured(&world, "bad").await,
            configured(&world, "good").await,
        );
        let bads = submit_to(&world, &bad, FIRST).await;
        let goods = submit_to(&world, &good, FIRST).await;
        world.damage_record(FIRST, key(&bad));
        for wait in [Duration::ZERO, Duration::from_secs(30)] {
            let refused = world.node(1).lease(lease_of(&[&bad], wait)).await;
            let Err(EngineError::Store(StoreError::Unreadable { why })) = refused else {
                panic!("{refused:?}")
            };
            assert!(
                why.contains("queue bad") && why.contains("restore"),
                "{why}"
            );
        }
        let wait = Duration::from_secs(30);
        assert_eq!(leased(&world, &[&bad, &good], wait).await, [goods]);
        assert_eq!(leased(&world, &[&good, &bad], Duration::ZERO).await, []);
        world.repair_record(FIRST, key(&bad));
        assert_eq!(leased(&world, &[&bad, &good], wait).await, [bads]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_damaged_in_one_partition_starts_tasks_in_the_others() {
    let world = far(false, 3);
    let bad = configured(&world, "bad").await;
    let mut ids = Vec::new();
    for partition in 0..3 {
        ids.push(submit_to(&world, &bad, PartitionId(partition)).await);
    }
    world.damage_record(PartitionId(1), key(&bad));
    let (first, last) = (ids[0].min(ids[2]), ids[0].max(ids[2]));
    let request = lease_of(&[&bad], Duration::from_secs(1));
    let leases = world.node(1).lease(request).await.expect("lease");
    let mut started: Vec<_> = leases.iter().map(|task| task.id).collect();
    started.sort();
    assert_eq!(started, [first, last]);
    for task in &leases {
        complete(world.node(1), task).await.expect("complete");
    }
    world.repair_record(PartitionId(1), key(&bad));
    let wait = Duration::from_secs(60);
    assert_eq!(leased(&world, &[&bad], wait).await, [ids[1]]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_queue_is_told_from_the_others_in_a_list_of_them() {
    let world = far(false, 3);
    for (name, partition) in [("bad", FIRST), ("good", FIRST), ("half", PartitionId(2))] {
        let queue = configured(&world, name).await;
        submit_to(&world, &queue, FIRST).await;
        if name != "good" {
            world.damage_record(partition, key(&queue));
        }
    }
    let queues = world.node(1).queues().await.expect("queues");
    let listed = queues.iter().map(|view| {
        let damaged = view.unreadable.as_ref();
        let is_named = damaged.is_some_and(|why| why.contains("bad") && why.contains("restore"));
        (view.queue.as_str(), damaged.is_some(), is_named)
    });
    let expected = [
        ("bad", true, true),
        ("good", false, false),
        ("half", false, false),
    ];
    assert_eq!(listed.collect::<Vec<_>>(), expected);
    for (name, damaged) in [("bad", true), ("good", false), ("half", true)] {
        let view = world.node(1).queue(&named(name)).await.expect("the queue");
        assert_eq!(view.unreadable.is_some(), damaged, "{name}");
        assert_eq!(view.stats.count(Status::Queued), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_queue_is_told_now_and_then_with_what_to_do_and_counted() {
    let errors = Errors::default();
    let subscriber = tracing_subscriber::registry().with(errors.clone());
    let _listening = tracing::subscriber::set_default(subscriber);
    let world = far(false, 1);
    let (bad, good) = (
        configured(&world, "bad").await,
        configured(&world, "good").await,
    );
    world.damage_record(FIRST, key(&bad));
    for _ in 0..100 {
        assert_eq!(leased(&world, &[&bad, &good], Duration::ZERO).await, []);
    }
    let told = errors.told();
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        told.contains("queue bad") && told.contains("restore it"),
        "{told}"
    );
    assert_eq!(world.node(1).unreadable().store, 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(leased(&world, &[&bad, &good], Duration::ZERO).await, []);
    assert_eq!(errors.told().len(), 2);
    assert_eq!(world.node(1).unreadable().store, 1);
}
