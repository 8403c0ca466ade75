use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use russet_core::{
    Epoch, Lane, PartitionId, QueueName, RecordKey, Status, Task, TaskId, Timestamp,
};
use russet_engine::{
    Backend, Change, Clock, Delivery, Depth, Due, Listing, Message, Order, Outcome, Page, Queue,
    Receipt, Stats, Store, Transaction, Version, Versioned,
};

use super::fixtures::{create, lane_of, replace, running, task_of};
use super::{Factory, Timing};

pub(super) const FIRST: PartitionId = PartitionId(0);
pub(super) const SECOND: PartitionId = PartitionId(1);
/// Longer than any test takes.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A backend under test, and fresh ids for what is put into it.
pub(super) struct World {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub clock: Arc<dyn Clock>,
    pub timing: Timing,
    drawn: AtomicU64,
}

impl World {
    pub async fn new(factory: &dyn Factory, partitions: u16) -> Self {
        Self::of(factory, factory.create(partitions).await, 0)
    }

    /// A world around a backend in which ids were already drawn.
    pub fn of(factory: &dyn Factory, backend: Backend, drawn: u64) -> Self {
        Self {
            store: backend.store,
            queue: backend.queue,
            clock: factory.clock(),
            timing: factory.timing(),
            drawn: AtomicU64::new(drawn),
        }
    }

    /// Gives the backend back, and how many ids were drawn.
    pub fn into_backend(self) -> (Backend, u64) {
        let backend = Backend {
            store: self.store,
            queue: self.queue,
        };
        (backend, self.drawn.into_inner())
    }

    /// Random enough, and the same in every run.
    pub fn draw(&self) -> u64 {
        let mut z = self.drawn.fetch_add(1, Ordering::Relaxed);
        z = z.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.draw() % end
    }

    /// A running task with a fresh id, in the queue `emails`.
    pub fn task(&self, partition: PartitionId) -> Task {
        let now = Timestamp::from_millis(1_760_000_000_000 + self.drawn.load(Ordering::Relaxed));
        let id = TaskId::new(now, partition, self.draw());
        running(id, now)
    }

    /// A task that is ready in the lane.
    pub fn ready(&self, partition: PartitionId, lane: &Lane, score: i64) -> Task {
        Task {
            status: Status::Queued,
            queue: lane.queue.clone(),
            resources: lane.resources.clone(),
            score,
            ..self.task(partition)
        }
    }

    pub fn transaction(&self, changes: Vec<Change>) -> Transaction {
        Transaction {
            epoch: Epoch::default(),
            version: Version(self.draw()),
            changes,
        }
    }

    pub async fn commit(
        &self,
        partition: PartitionId,
        mut batch: Vec<Transaction>,
    ) -> Vec<Outcome> {
        let epoch = self.store.epoch(partition);
        batch.iter_mut().for_each(|t| t.epoch = epoch);
        let committed = self.store.commit(partition, batch).await;
        committed.expect("the store commits")
    }

    /// Commits one transaction.
    pub async fn try_change(&self, partition: PartitionId, changes: Vec<Change>) -> Outcome {
        let outcomes = self
            .commit(partition, vec![self.transaction(changes)])
            .await;
        assert_eq!(outcomes.len(), 1, "one outcome for one transaction");
        outcomes[0]
    }

    /// Commits one transaction, which must succeed.
    pub async fn change(&self, partition: PartitionId, changes: Vec<Change>) {
        let outcome = self.try_change(partition, changes).await;
        assert_eq!(outcome, Outcome::Committed);
    }

    pub async fn create(&self, task: &Task) {
        self.change(task.id.partition(), vec![create(task)]).await;
    }

    pub async fn load(&self, partition: PartitionId, key: &RecordKey) -> Option<Versioned> {
        let keys = std::slice::from_ref(key);
        let loaded = self.store.get(partition, keys).await;
        let mut loaded = loaded.expect("the store loads");
        assert_eq!(loaded.len(), 1, "one answer for one key");
        loaded.remove(0)
    }

    pub async fn load_task(&self, id: TaskId) -> Versioned {
        let loaded = self.load(id.partition(), &RecordKey::Task(id)).await;
        loaded.expect("the task is there")
    }

    /// Changes a task that is there.
    pub async fn edit(&self, id: TaskId, edit: impl FnOnce(&mut Task)) {
        let before = self.load_task(id).await;
        let mut task = task_of(&before.record);
        edit(&mut task);
        self.change(id.partition(), vec![replace(before, &task)])
            .await;
    }

    pub async fn due(&self, partition: PartitionId, before: u64, limit: usize) -> Vec<Due> {
        let before = Timestamp::from_millis(before);
        let due = self.store.due(partition, before, limit).await;
        due.expect("the store knows its timers")
    }

    pub async fn page(&self, listing: &Listing) -> Page<TaskId> {
        self.store.list(listing).await.expect("the store lists")
    }

    /// All pages of a listing, in order.
    pub async fn list(&self, listing: &Listing) -> Vec<TaskId> {
        let mut listing = listing.clone();
        let mut items = Vec::new();
        loop {
            let page = self.page(&listing).await;
            assert!(page.items.len() <= listing.limit, "a page keeps its limit");
            let behind = |id: &TaskId| match (listing.after, listing.order) {
                (None, _) => true,
                (Some(after), Order::Oldest) => *id > after,
                (Some(after), Order::Newest) => *id < after,
            };
            assert!(
                page.items.iter().all(behind),
                "a page lies behind its start"
            );
            assert!(
                page.next.is_none() || page.next == page.items.last().copied(),
                "the next page starts behind this one"
            );
            items.extend(page.items);
            match page.next {
                Some(next) => listing.after = Some(next),
                None => return items,
            }
        }
    }

    pub async fn stats(&self) -> Stats {
        self.store.stats().await.expect("the store counts")
    }

    /// Makes tasks receivable, in whichever way the queue learns of them.
    pub async fn announce(&self, tasks: &[Task]) {
        for task in tasks {
            self.create(task).await;
        }
        if !self.queue.is_fused() {
            let messages = tasks.iter().map(|task| Message {
                lane: lane_of(task),
                priority: task.priority,
                score: task.score,
                task: task.id,
            });
            let sent = self.queue.send(messages.collect()).await;
            sent.expect("the queue sends");
        }
    }

    pub async fn receive(&self, from: &[Lane], max: usize, wait: Duration) -> Vec<Delivery> {
        self.receive_for(from, max, LONG, wait).await
    }

    pub async fn receive_for(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Vec<Delivery> {
        let received = self.queue.receive(from, max, visibility, wait).await;
        received.expect("the queue delivers")
    }

    /// Receives until nothing comes any more.
    pub async fn drain(&self, from: &[Lane]) -> Vec<TaskId> {
        let mut drained = Vec::new();
        loop {
            let received = self.receive(from, 7, Duration::ZERO).await;
            if received.is_empty() {
                return drained;
            }
            drained.extend(received.iter().map(|delivery| delivery.task));
        }
    }

    /// Starts the delivered tasks, as a scheduler does that was granted their leases.
    pub async fn settle(&self, deliveries: Vec<Delivery>) {
        let mut receipts = Vec::new();
        for delivery in deliveries {
            self.edit(delivery.task, |task| task.status = Status::Running)
                .await;
            receipts.push(delivery.receipt);
        }
        if !self.queue.is_fused() {
            let deleted = self.queue.delete(receipts).await;
            deleted.expect("the queue deletes");
        }
    }

    pub async fn release(&self, receipts: Vec<Receipt>, delay: Duration) {
        let released = self.queue.release(receipts, delay).await;
        released.expect("the queue releases");
    }

    pub async fn depth(&self, lane: &Lane) -> Depth {
        self.queue.depth(lane).await.expect("the queue counts")
    }

    pub async fn lanes(&self, queue: &QueueName) -> Vec<Lane> {
        self.queue
            .lanes(queue)
            .await
            .expect("the queue lists lanes")
    }
}
