use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russet_core::{
    Lane, Lease, LeaseId, Millis, PartitionId, QueueName, Record, RecordKey, Resources, Status,
    Task, TaskId, TaskType, Timestamp, WorkerId, WorkflowId,
};
use russet_engine::{
    Backend, Change, Clock, Delivery, Depth, Due, Listing, Message, Outcome, Page, Queue, Receipt,
    Stats, Store, Transaction, Version, Versioned,
};

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
        blank_task(id, now)
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
            version: Version(self.draw()),
            changes,
        }
    }

    pub async fn commit(&self, partition: PartitionId, batch: Vec<Transaction>) -> Vec<Outcome> {
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

pub(super) fn queue_name(name: &str) -> QueueName {
    QueueName::new(name).expect("a queue name")
}

/// A lane without resources.
pub(super) fn lane(queue: &str) -> Lane {
    Lane {
        queue: queue_name(queue),
        resources: Resources::NONE,
    }
}

pub(super) fn lane_of(task: &Task) -> Lane {
    Lane {
        queue: task.queue.clone(),
        resources: task.resources.clone(),
    }
}

pub(super) fn create(task: &Task) -> Change {
    Change {
        key: RecordKey::Task(task.id),
        before: None,
        after: Some(Record::Task(Arc::new(task.clone()))),
    }
}

pub(super) fn replace(before: Versioned, task: &Task) -> Change {
    Change {
        before: Some(before),
        ..create(task)
    }
}

pub(super) fn remove(key: RecordKey, before: Versioned) -> Change {
    Change {
        key,
        before: Some(before),
        after: None,
    }
}

pub(super) fn task_of(record: &Record) -> Task {
    match record {
        Record::Task(task) => (**task).clone(),
        other => panic!("expected a task, not {other:?}"),
    }
}

fn blank_task(id: TaskId, now: Timestamp) -> Task {
    Task {
        id,
        kind: TaskType::new("send_email").expect("a task type"),
        queue: queue_name("emails"),
        payload: Bytes::from_static(b"{\"to\":\"you\"}"),
        status: Status::Running,
        priority: 4,
        rank: None,
        retry_count: 0,
        retry: Default::default(),
        attempt: 1,
        created_at: now,
        updated_at: now,
        scheduled_at: None,
        ready_at: Some(now),
        score: 0,
        started_at: None,
        completed_at: None,
        expires_at: None,
        due_at: None,
        purge_at: None,
        lease_duration: Millis::from_secs(30),
        timeout: None,
        retention: None,
        lease: Some(Box::new(Lease {
            id: LeaseId::from_u128(7),
            worker: WorkerId("worker-1".into()),
            expires_at: now,
            deadline: None,
            slot: false,
            ended: None,
        })),
        dependencies: Default::default(),
        if_unsatisfied: Default::default(),
        dependents: Default::default(),
        resources: Resources::NONE,
        idempotency: None,
        partition_key: None,
        workflow: None,
        metadata: Bytes::new(),
        result: None,
        last_error: None,
        progress: None,
        cancel_requested: false,
        unsent: false,
        sends: 0,
        redriven_by: None,
    }
}

/// The id of a workflow that begins with this task.
pub(super) fn workflow_of(task: &Task) -> WorkflowId {
    WorkflowId::from(task.id)
}
