//! What nodes ask the store and its queue over the network.

use std::time::Duration;

use russet_core::{Lane, PartitionId, QueueName, RecordKey, TaskId, Timestamp};
use russet_engine::{
    Delivery, Depth, Due, Listing, Message, Outcome, Page, QueueError, Receipt, Stats, StoreError,
    Transaction, Versioned,
};

/// The methods of `Store` and of `Queue`.
#[derive(Clone)]
pub enum StoreRequest {
    /// `Store::get`
    Get(PartitionId, Vec<RecordKey>),
    /// `Store::commit`
    Commit(PartitionId, Vec<Transaction>),
    /// `Store::due`
    Due(PartitionId, Timestamp, usize),
    /// `Store::list`
    List(Listing),
    /// `Store::stats`
    Stats,
    /// `Queue::send`
    Send(Vec<Message>),
    /// `Queue::receive`
    Receive {
        /// From these lanes.
        from: Vec<Lane>,
        /// At most so many.
        max: usize,
        /// Hidden for so long.
        visibility: Duration,
        /// Waits for so long.
        wait: Duration,
    },
    /// `Queue::delete`
    Delete(Vec<Receipt>),
    /// `Queue::release`
    Release(Vec<Receipt>, Duration),
    /// `Queue::lanes`, with the epoch that they are of.
    Lanes(QueueName),
    /// `Queue::lanes_changed`, for a while at most.
    LanesChanged(u64),
    /// `Queue::depth`
    Depth(Lane),
}

impl StoreRequest {
    /// Whether the store itself is asked, and not the queue.
    pub const fn is_of_store(&self) -> bool {
        matches!(
            self,
            Self::Get(..) | Self::Commit(..) | Self::Due(..) | Self::List(_) | Self::Stats
        )
    }
}

/// What they return.
pub enum StoreReply {
    /// Of `Get`.
    Got(Result<Vec<Option<Versioned>>, StoreError>),
    /// Of `Commit`.
    Committed(Result<Vec<Outcome>, StoreError>),
    /// Of `Due`.
    Due(Result<Vec<Due>, StoreError>),
    /// Of `List`.
    Listed(Result<Page<TaskId>, StoreError>),
    /// Of `Stats`.
    Stats(Result<Stats, StoreError>),
    /// Of `Send`, `Delete` and `Release`.
    Done(Result<(), QueueError>),
    /// Of `Receive`.
    Received(Result<Vec<Delivery>, QueueError>),
    /// Of `Lanes`.
    Lanes(Result<(u64, Vec<Lane>), QueueError>),
    /// Of `LanesChanged`: the epoch.
    Epoch(u64),
    /// Of `Depth`.
    Depth(Result<Depth, QueueError>),
}
