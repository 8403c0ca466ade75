use std::time::Duration;

use russet_engine::core::*;

use crate::faulty::Faults;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_store_and_a_queue_apart_serve_tasks_as_one() {
    let world = World::new(Plan {
        split: true,
        partitions: 2,
        nodes: 3,
        ..Plan::default()
    });
    for _ in 0..200 {
        world.submit(world.task()).await;
    }
    world.work(200).await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_the_queue_lost_are_sent_again_by_the_watchdog() {
    let faults = Faults {
        reply_lost: 50,
        unavailable: 50,
        ..Faults::default()
    };
    let world = World::new(Plan {
        split: true,
        faults,
        ..Plan::default()
    });
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.submit(world.task()).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let lanes = world.queue.lanes(&queue()).await.expect("lanes");
    let lost = world
        .queue
        .receive(&lanes, 10, Duration::ZERO, Duration::ZERO)
        .await
        .expect("receive");
    assert_eq!(lost.len(), 10);
    world
        .queue
        .delete(lost.into_iter().map(|d| d.receipt).collect())
        .await
        .expect("delete");
    tokio::time::sleep(Duration::from_secs(12 * 3_600)).await;
    world.work(20).await;
    for id in ids {
        assert_eq!(world.get(id).await.status, Status::Succeeded);
    }
}
