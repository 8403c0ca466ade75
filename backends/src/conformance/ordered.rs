//! What a queue is that delivers exactly by score.

use std::time::Duration;

use russet_core::{PartitionId, TaskId};

use crate::conformance::Factory;
use crate::conformance::fixtures::lane;
use crate::conformance::world::{FIRST, World};

/// Over partitions, with negative scores, whatever the order of arrival.
pub async fn the_lowest_score_comes_first(factory: &dyn Factory) {
    let world = World::new(factory, 3).await;
    let emails = lane("emails");
    let mut tasks = Vec::new();
    for n in 0..60 {
        let score = world.below(1_000) as i64 - 500;
        tasks.push(world.ready(PartitionId(n % 3), &emails, score));
    }
    tasks.push(world.ready(FIRST, &emails, i64::MIN));
    tasks.push(world.ready(FIRST, &emails, i64::MAX));
    world.announce(&tasks).await;
    tasks.sort_by_key(|task| (task.score, task.id));
    let drained = world.drain(&[emails]).await;
    assert!(drained.iter().eq(tasks.iter().map(|task| &task.id)));
}

/// No lane is served before another one that holds something more urgent.
pub async fn the_lowest_score_of_all_lanes_comes_first(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let lanes = ["a", "b", "c"].map(lane);
    let mut tasks = Vec::new();
    for n in 0..45 {
        let lane = &lanes[world.below(3) as usize];
        let score = world.below(1_000) as i64;
        tasks.push(world.ready(PartitionId(n % 2), lane, score));
    }
    world.announce(&tasks).await;
    tasks.sort_by_key(|task| (task.score, task.id));
    let drained = world.drain(&lanes).await;
    assert!(drained.iter().eq(tasks.iter().map(|task| &task.id)));
}

/// Ids grow with the time of submission.
pub async fn of_equal_scores_the_older_task_comes_first(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let emails = lane("emails");
    let tasks: Vec<_> = (0..20).map(|_| world.ready(FIRST, &emails, 7)).collect();
    let newest_first: Vec<_> = tasks.iter().rev().cloned().collect();
    world.announce(&newest_first).await;
    let drained = world.drain(&[emails]).await;
    assert!(drained.iter().eq(tasks.iter().map(|task| &task.id)));
}

/// It does not go to the end of its lane.
pub async fn what_was_released_keeps_its_place(factory: &dyn Factory) {
    let world = World::new(factory, 1).await;
    let lanes = [lane("emails")];
    let tasks: Vec<_> = (0..6).map(|n| world.ready(FIRST, &lanes[0], n)).collect();
    world.announce(&tasks).await;
    let first = world.receive(&lanes, 3, Duration::ZERO).await;
    let receipts = first.into_iter().map(|delivery| delivery.receipt).collect();
    world.release(receipts, Duration::ZERO).await;
    let drained: Vec<TaskId> = world.drain(&lanes).await;
    assert!(drained.iter().eq(tasks.iter().map(|task| &task.id)));
}
