use russet_engine::core::TaskId;
use russet_engine::core::limits::PAYLOAD_BYTES;
use russet_engine::{Listing, Order, limits};

use crate::world::*;

/// All pages of as many tasks as a page can have.
async fn pages(world: &World, order: Order) -> Vec<Vec<TaskId>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let listing = Listing {
            after,
            limit: limits::PAGE_TASKS,
            order,
            ..Listing::default()
        };
        let page = world.node(0).list(listing).await.expect("lists");
        let bytes: usize = page.items.iter().map(|task| task.payload.len()).sum();
        assert!(bytes <= limits::PAGE_BYTES, "{bytes} bytes");
        pages.push(page.items.iter().map(|task| task.id).collect());
        after = page.next;
        if after.is_none() {
            return pages;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bounded_a_page_of_large_tasks_ends_at_its_bytes_and_the_next_one_goes_on_behind_it() {
    let world = World::new(Plan {
        partitions: 2,
        ..Plan::default()
    });
    let payload = bytes::Bytes::from(vec![b'1'; PAYLOAD_BYTES]);
    let mut ids = Vec::new();
    for _ in 0..40 {
        let mut task = world.task();
        task.payload = payload.clone();
        ids.push(world.submit(task).await);
    }
    ids.sort_unstable();
    for order in [Order::Oldest, Order::Newest] {
        let pages = pages(&world, order).await;
        let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(sizes, [16, 16, 8]);
        assert_eq!(pages.concat(), ids);
        ids.reverse();
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_small_tasks_has_as_many_as_were_asked_for() {
    let world = World::new(Plan::default());
    for _ in 0..100 {
        world.submit(world.task()).await;
    }
    let sizes: Vec<_> = pages(&world, Order::Oldest)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes, [100]);
}
