//! A queue outside the store that is slow, lacks a lane, or knows of tasks of another store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use russet_backends::memory::MemoryQueue;
use russet_engine::core::{
    Dependency, DependencyOn, Lane, Millis, PartitionId, QueueName, Resources, Status, TaskId,
};
use russet_engine::{Delivery, Depth, Message, Queue, QueueError, Receipt, limits};

use crate::world::*;

/// As long as a queue takes that does not answer.
const HANGS: Duration = Duration::from_secs(20);

/// What a queue does not do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It does not answer when deliveries are settled.
    Settling,
    /// The lanes of this queue are missing.
    Missing(&'static str),
    /// Announcements to this queue are not answered.
    Announcing(&'static str),
}

/// A queue in trouble.
struct Troubled {
    inner: Arc<dyn Queue>,
    trouble: Trouble,
    /// How many messages it has taken.
    sent: AtomicUsize,
}

impl Troubled {
    async fn settling(&self) -> Result<(), QueueError> {
        if self.trouble != Trouble::Settling {
            return Ok(());
        }
        tokio::time::sleep(HANGS).await;
        Err(silent())
    }
}

fn silent() -> QueueError {
    let why = "injected".to_owned();
    QueueError::Unavailable { why }
}

#[async_trait]
impl Queue for Troubled {
    fn is_fused(&self) -> bool {
        false
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let about = |name| messages.iter().any(|m| m.lane.queue.as_str() == name);
        match self.trouble {
            Trouble::Missing(name) if about(name) => return Err(silent()),
            Trouble::Announcing(name) if about(name) => {
                tokio::time::sleep(HANGS).await;
                return Err(silent());
            }
            _ => {}
        }
        self.sent.fetch_add(messages.len(), Ordering::Relaxed);
        self.inner.send(messages).await
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.inner.receive(from, max, visibility, wait).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.settling().await?;
        self.inner.delete(receipts).await
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        self.settling().await?;
        self.inner.release(receipts, delay).await
    }

    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError> {
        self.inner.lanes(queue).await
    }

    fn lanes_epoch(&self) -> u64 {
        self.inner.lanes_epoch()
    }

    async fn lanes_changed(&self, known: u64) {
        self.inner.lanes_changed(known).await;
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        self.inner.depth(lane).await
    }
}

/// A node on a queue in trouble.
fn world(trouble: Trouble, partitions: u16) -> (World, Arc<Troubled>) {
    let mut world = World::new(Plan {
        nodes: 0,
        partitions,
        split: true,
        ..Plan::default()
    });
    let troubled = Arc::new(Troubled {
        inner: MemoryQueue::new(world.clock.clone()),
        trouble,
        sent: AtomicUsize::new(0),
    });
    world.queue = troubled.clone();
    world.start_node();
    (world, troubled)
}

#[tokio::test(start_paused = true)]
async fn a_message_about_a_task_of_another_store_is_deleted_and_stops_nobody() {
    let world = World::new(Plan {
        split: true,
        partitions: 2,
        ..Plan::default()
    });
    let own = world.submit(world.task()).await;
    let stray = TaskId::new(world.clock.now(), PartitionId(9), 7);
    let lane = Lane {
        queue: queue(),
        resources: Resources::default(),
    };
    let message = Message {
        lane: lane.clone(),
        priority: 4,
        score: 0,
        task: stray,
    };
    world.queue.send(vec![message]).await.expect("is sent");
    let mut leased = Vec::new();
    for _ in 0..3 {
        let request = lease("w", 10, Duration::from_secs(1));
        leased.extend(
            world
                .node(0)
                .lease(request)
                .await
                .expect("nobody is stopped"),
        );
    }
    let leased: Vec<_> = leased.iter().map(|task| task.id).collect();
    assert_eq!(leased, [own]);
    tokio::time::sleep(limits::DELIVERY_HIDDEN).await;
    let depth = world.queue.depth(&lane).await.expect("answers");
    assert_eq!(depth, Depth::default(), "the message is gone");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_granted_while_the_queue_does_not_settle_deliveries() {
    let (world, _) = world(Trouble::Settling, 1);
    let id = world.submit(world.task()).await;
    let before = world.clock.now();
    let request = lease("w", 10, Duration::from_secs(5));
    let leased = world.node(0).lease(request).await.expect("leases");
    assert_eq!(leased.len(), 1);
    let waited = world.clock.now().since(before);
    assert!(waited < Millis::from_secs(3), "{waited:?}");
    let done = complete(world.node(0), &leased[0]).await.expect("it holds");
    assert_eq!((done.task, done.status), (id, Status::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_not_announced_again_because_another_lane_is_missing() {
    let (world, queue) = world(Trouble::Missing("missing"), 1);
    let tasks = (0..40).map(|at| {
        let mut task = world.task();
        if at % 2 == 0 {
            task.queue = QueueName::new("missing").expect("a name");
        }
        task
    });
    for submitted in world.node(0).submit_each(tasks.collect()).await {
        submitted.expect("is accepted");
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(queue.sent.load(Ordering::Relaxed), 20);
}

#[tokio::test(start_paused = true)]
async fn messages_between_partitions_do_not_wait_for_the_queue() {
    let (world, _) = world(Trouble::Announcing("slow"), 2);
    let [parent, child] = [0, 1].map(|p| world.node(0).new_task_id_in(PartitionId(p)));
    world.submit(world.task_with(parent)).await;
    let mut waiting = world.task_with(child);
    let on = DependencyOn::Success;
    waiting.dependencies = vec![Dependency { task: parent, on }];
    world.submit(waiting).await;
    let leased = world.lease_some(0).await;
    assert_eq!(leased.len(), 1);

    let mut slow = world.task();
    slow.queue = QueueName::new("slow").expect("a name");
    world.submit(slow).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    complete(world.node(0), &leased[0]).await.expect("it holds");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.get(child).await.status, Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn announcements_do_not_wait_for_a_queue_that_is_slow() {
    let (world, queue) = world(Trouble::Announcing("slow"), 1);
    for _ in 0..3 {
        let mut slow = world.task();
        slow.queue = QueueName::new("slow").expect("a name");
        world.submit(slow).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.submit(world.task()).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(queue.sent.load(Ordering::Relaxed), 3);
}
