//! At-least-once delivery of ready task ids. A queue may duplicate, reorder and lose: core
//! filters what should not run, and timers repair what was lost.

use std::time::Duration;

use async_trait::async_trait;
use russet_core::{Lane, QueueName, TaskId};

/// A ready task, announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it waits.
    pub lane: Lane,
    /// How urgent it is: more is more urgent.
    pub priority: u8,
    /// Its place, lowest first: its priority and how long it has waited.
    pub score: i64,
    /// The task.
    pub task: TaskId,
}

/// What one delivery is settled by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub Vec<u8>);

/// One message, delivered. It stays hidden from others for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The task.
    pub task: TaskId,
    /// The lane that it came from.
    pub lane: Lane,
    /// What the delivery is settled by.
    pub receipt: Receipt,
}

/// How much waits in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that were received and not settled.
    pub hidden: u64,
}

/// The queue of ready task ids.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Whether the queue reads the store's own records: what a commit makes ready is then
    /// announced by that commit, and messages are never sent.
    fn is_fused(&self) -> bool;

    /// Announces ready tasks.
    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError>;

    /// Takes up to `max` messages from these lanes, lowest score first, and hides each for
    /// `visibility`. Waits up to `wait` for the first; empty when there was none.
    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError>;

    /// Settles deliveries: they are not delivered again.
    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError>;

    /// Gives deliveries back, to be delivered again after `delay`.
    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError>;

    /// The lanes of a queue that hold a task, and some that have held one, as far as this node
    /// knows.
    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError>;

    /// Grows whenever this node learns of a lane that it did not know.
    fn lanes_epoch(&self) -> u64;

    /// Waits until [`Self::lanes_epoch`] is beyond `known`.
    async fn lanes_changed(&self, known: u64);

    /// How many messages could not be read since the queue was opened; the log tells of each.
    fn undecodable(&self) -> u64 {
        0
    }

    /// How much waits in a lane.
    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError>;
}

/// Why a queue did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue cannot be used now. Messages may or may not have been sent.
    #[error("the queue is unavailable: {why}")]
    Unavailable {
        /// What the queue said.
        why: String,
    },
}
