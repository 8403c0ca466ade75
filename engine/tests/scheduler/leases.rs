use std::time::Duration;

use russet_engine::core::limits::PAYLOAD_BYTES;
use russet_engine::limits;

use crate::world::*;

/// Leases as much as there is, and says how many tasks each request was granted.
async fn lease_all(world: &World) -> Vec<usize> {
    let mut granted = Vec::new();
    loop {
        let request = lease("w", limits::LEASE_TASKS, Duration::from_millis(10));
        let leased = world.node(0).lease(request).await.expect("lease");
        if leased.is_empty() {
            return granted;
        }
        let bytes: usize = leased.iter().map(|task| task.payload.len()).sum();
        assert!(bytes <= limits::LEASE_BYTES, "{bytes} bytes");
        granted.push(leased.len());
    }
}

async fn submit(world: &World, count: usize, bytes: usize) {
    let payload = bytes::Bytes::from(vec![b'1'; bytes]);
    for _ in 0..count {
        let mut task = world.task();
        task.payload = payload.clone();
        world.submit(task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn bounded_a_lease_of_large_tasks_ends_at_its_bytes_and_the_others_are_ready_at_once() {
    for split in [false, true] {
        let world = World::new(Plan {
            nodes: 1,
            partitions: 2,
            split,
            ..Plan::default()
        });
        submit(&world, 40, PAYLOAD_BYTES).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(lease_all(&world).await, [16, 16, 8], "split {split}");
    }
}

#[tokio::test(start_paused = true)]
async fn small_tasks_are_leased_as_many_as_were_asked_for() {
    let world = World::new(Plan {
        nodes: 1,
        ..Plan::default()
    });
    submit(&world, 200, 1_000).await;
    assert_eq!(lease_all(&world).await, [200]);
}
