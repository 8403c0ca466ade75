//! Listings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use russet_core::{PartitionId, RecordKey, Status, Task, TaskId};
use russet_engine::{Listing, Order};

use crate::conformance::Factory;
use crate::conformance::fixtures::{queue_name, remove, workflow_of};
use crate::conformance::world::{FIRST, SECOND, World};

/// Every combination of filters, and tasks that move from one to another.
pub async fn listings_filter_by_queue_status_and_workflow(factory: &dyn Factory) {
    let world = World::new(factory, 2).await;
    let flow = workflow_of(&world.task(FIRST));
    let mut tasks = Vec::new();
    for (n, queue) in ["a", "b", "a", "b", "c", "a"].into_iter().enumerate() {
        let task = Task {
            queue: queue_name(queue),
            workflow: (n < 3).then_some(flow),
            ..world.task(PartitionId((n % 2) as u16))
        };
        world.create(&task).await;
        tasks.push(task.id);
    }
    world.edit(tasks[2], |t| t.status = Status::Dead).await;
    world.edit(tasks[3], |t| t.status = Status::Dead).await;
    world.edit(tasks[4], |t| t.queue = queue_name("a")).await;

    let check = async |queue: Option<&str>, status, workflow, expected: &[usize]| {
        let listing = Listing {
            queue: queue.map(queue_name),
            status,
            workflow,
            limit: 10,
            ..Listing::default()
        };
        let expected: Vec<TaskId> = expected.iter().map(|n| tasks[*n]).collect();
        assert_eq!(world.list(&listing).await, expected, "{listing:?}");
    };
    let (running, dead) = (Some(Status::Running), Some(Status::Dead));
    check(None, None, None, &[0, 1, 2, 3, 4, 5]).await;
    check(Some("a"), None, None, &[0, 2, 4, 5]).await;
    check(Some("c"), None, None, &[]).await;
    check(Some("z"), None, Some(flow), &[]).await;
    check(None, dead, None, &[2, 3]).await;
    check(None, Some(Status::Queued), None, &[]).await;
    check(Some("a"), running, None, &[0, 4, 5]).await;
    check(None, None, Some(flow), &[0, 1, 2]).await;
    check(None, running, Some(flow), &[0, 1]).await;
    check(Some("a"), None, Some(flow), &[0, 2]).await;
    check(Some("a"), dead, Some(flow), &[2]).await;

    let before = world.load_task(tasks[2]).await;
    let removal = remove(RecordKey::Task(tasks[2]), before);
    world.change(tasks[2].partition(), vec![removal]).await;
    check(None, dead, None, &[3]).await;
    check(None, None, Some(flow), &[0, 1]).await;
}

/// Whatever the size of a page, wherever it starts, and over partitions.
pub async fn pages_cover_everything_once_in_both_directions(factory: &dyn Factory) {
    const TASKS: u64 = 150;
    let world = World::new(factory, 3).await;
    let flow = workflow_of(&world.task(FIRST));
    let mut all = Vec::new();
    for _ in 0..TASKS {
        let partition = PartitionId(world.below(3) as u16);
        let task = Task {
            queue: queue_name(["a", "b"][world.below(2) as usize]),
            status: Status::ALL[world.below(7) as usize],
            workflow: Some(flow),
            ..world.task(partition)
        };
        world.create(&task).await;
        all.push(task.id);
    }
    all.sort();
    for workflow in [None, Some(flow)] {
        for limit in [1, 7, 149, 150, 151] {
            let oldest = Listing {
                limit,
                workflow,
                ..Listing::default()
            };
            assert_eq!(world.list(&oldest).await, all);
            let newest = Listing {
                order: Order::Newest,
                ..oldest
            };
            assert!(world.list(&newest).await.iter().eq(all.iter().rev()));
        }
    }
    let exact = Listing {
        limit: 150,
        ..Listing::default()
    };
    let last = world.page(&exact).await;
    assert_eq!(last.next, None, "a full last page is the last one");
    let behind = Listing {
        after: all.get(40).copied(),
        limit: 10,
        ..Listing::default()
    };
    assert_eq!(world.page(&behind).await.items, all[41..51]);
    let before = Listing {
        order: Order::Newest,
        ..behind
    };
    assert!(
        world
            .page(&before)
            .await
            .items
            .iter()
            .eq(all[30..40].iter().rev())
    );
}

/// Tasks that do not change while somebody turns the pages are listed exactly once.
pub async fn pages_have_no_gaps_and_no_duplicates_while_others_commit(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory, 2).await);
    let (mut still, mut moving) = (Vec::new(), Vec::new());
    for n in 0..120 {
        let task = world.task([FIRST, SECOND][n % 2]);
        world.create(&task).await;
        [&mut still, &mut moving][usize::from(n % 3 == 0)].push(task.id);
    }
    let done = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn(disturb(world.clone(), moving, done.clone()));
    for limit in [1, 4, 9, 50] {
        for order in [Order::Oldest, Order::Newest] {
            let listing = Listing {
                status: Some(Status::Running),
                limit,
                order,
                ..Listing::default()
            };
            let mut listed = world.list(&listing).await;
            if order == Order::Newest {
                listed.reverse();
            }
            assert!(listed.is_sorted_by(|a, b| a < b), "in order, no duplicates");
            listed.retain(|id| still.contains(id));
            assert_eq!(listed, still);
        }
    }
    done.store(true, Ordering::Relaxed);
    others.await.expect("the others finish");
}

async fn disturb(world: Arc<World>, tasks: Vec<TaskId>, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        let id = tasks[world.below(tasks.len() as u64) as usize];
        let status = [Status::Running, Status::Queued, Status::Dead][world.below(3) as usize];
        world.edit(id, |task| task.status = status).await;
        let new = world.task([FIRST, SECOND][world.below(2) as usize]);
        world.create(&new).await;
        tokio::task::yield_now().await;
    }
}
