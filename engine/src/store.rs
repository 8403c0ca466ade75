//! The source of truth: records with versions, changed by compare and swap.

use async_trait::async_trait;
use russet_core::{
    Epoch, PartitionId, QueueName, Record, RecordKey, Status, TaskId, TimerKey, Timestamp,
    TransactionLimit, WorkflowId,
};

/// What a record's version is compared by. Whoever commits draws it at random, so that no
/// version comes back, not even of a record that was removed and made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

/// A record as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Its version.
    pub version: Version,
    /// The record.
    pub record: Record,
}

/// Changes that happen together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What [`Store::epoch`] was before its records were loaded; another one is a conflict.
    pub epoch: Epoch,
    /// The version that every changed record gets.
    pub version: Version,
    /// What changes; each key at most once.
    pub changes: Vec<Change>,
}

/// The change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which record.
    pub key: RecordKey,
    /// What it must still be: absent, or of this version. Index entries of this record
    /// (see [`russet_core::entries`]) are replaced by those of `after`.
    pub before: Option<Versioned>,
    /// What it becomes; `None` removes it.
    pub after: Option<Record>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and durable as far as the store promises durability.
    Committed,
    /// A record was not what the transaction expected; nothing was changed. So is a transaction
    /// for which there was no room beside the others of its batch: alone it is [`StoreError::Full`].
    Conflict,
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it is due.
    pub at: Timestamp,
    /// Whose it is.
    pub timer: TimerKey,
}

/// Which tasks to list. Filters that are `None` let every task pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Tasks of this queue.
    pub queue: Option<QueueName>,
    /// Tasks in this state.
    pub status: Option<Status>,
    /// Tasks of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Go on behind this task.
    pub after: Option<TaskId>,
    /// Most tasks on the page, at least 1.
    pub limit: usize,
    /// Oldest or newest first.
    pub order: Order,
}

/// The order of a listing: by id, that is, by submission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// Where the next page starts ([`Listing::after`]); `None` on the last one.
    pub next: Option<TaskId>,
}

/// What a store holds, from counters that are kept up with every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Every queue that has tasks, by name.
    pub queues: Vec<QueueStats>,
}

/// How many tasks of a queue are in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// The queue.
    pub queue: QueueName,
    /// Tasks by state, in the order of [`Status::ALL`].
    pub by_status: [u64; Status::ALL.len()],
    /// When the task that has been ready longest became ready, as far as the store knows:
    /// the ready time of the first task of each lane.
    pub oldest_ready_at: Option<Timestamp>,
}

impl QueueStats {
    /// How many tasks are in the state.
    pub fn count(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }
}

/// What a store can do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much one transaction changes.
    pub transaction: TransactionLimit,
    /// Largest record, in bytes.
    pub record_bytes: usize,
    /// Whether it takes a round trip to load. A node then presumes what it knows already, and has
    /// the commit find out what has changed.
    pub is_far: bool,
}

/// The source of truth. A partition is the unit of atomicity.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How many partitions there are; fixed when the store is created.
    fn partitions(&self) -> u16;

    /// What the store can do at most.
    fn limits(&self) -> Limits;

    /// How often the partition may have gone back to an earlier state of its own, as far as this
    /// node knows. It never falls, and no commit that names an older one succeeds.
    fn epoch(&self, partition: PartitionId) -> Epoch;

    /// Loads records, in the order of `keys`; `None` for each that is absent. One of them that
    /// cannot be read is [`StoreError::Unreadable`]; the others can be loaded without it.
    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError>;

    /// Commits transactions. Each is all-or-nothing; they are independent of one another,
    /// and the outcomes are in their order. On an error nothing is known to be committed,
    /// and nothing was unless the error is [`StoreError::Indeterminate`].
    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError>;

    /// Waits until what was loaded of the partition in this epoch is kept as safely as what is
    /// committed: an answer may rest on it then although nothing is committed for it. A conflict
    /// says that another epoch has begun. Most stores show nothing before it is safe.
    async fn confirm(&self, _: PartitionId, _: Epoch) -> Result<Outcome, StoreError> {
        Ok(Outcome::Committed)
    }

    /// Timers that are due before or at `before`, earliest first, at most `limit`.
    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError>;

    /// One page of the tasks of all partitions, by keyset and never by a full scan.
    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError>;

    /// How many index entries could not be read since the store was opened. They are left out, and
    /// the log tells of each once.
    fn unreadable(&self) -> u64 {
        0
    }

    /// Why the store takes nothing new now, and what to do; `None` while it has room, as far as
    /// it can say.
    ///
    /// # Errors
    /// A store that is unavailable.
    async fn fullness(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// What the store holds, from counters and never by counting. Queues that were configured
    /// and hold nothing are among them where the store can name them without a scan.
    async fn stats(&self) -> Result<Stats, StoreError>;
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be used now; nothing was changed.
    #[error("the store is unavailable: {why}")]
    Unavailable {
        /// What the store said.
        why: String,
    },
    /// The reply was lost: the transactions may or may not be committed.
    #[error("the outcome of a commit is unknown: {why}")]
    Indeterminate {
        /// What happened.
        why: String,
    },
    /// There is no room; nothing was changed.
    #[error("the store is full: {why}; free some room, nothing that was acknowledged is lost")]
    Full {
        /// What the store said.
        why: String,
    },
    /// A transaction or a record is larger than the store can hold; nothing was changed.
    #[error("too large for the store: {why}")]
    TooLarge {
        /// What is too large, and the limit.
        why: String,
    },
    /// A record cannot be read; nothing was changed.
    #[error("{why}")]
    Unreadable {
        /// Which record, why, and what to do.
        why: String,
    },
    /// The store as a whole cannot be read, or an index of it.
    #[error("the store is damaged: {why}")]
    Damaged {
        /// What of it, and why.
        why: String,
    },
}

impl StoreError {
    /// Whether the same may succeed when it is tried again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Indeterminate { .. })
    }

    /// Whether it concerns some of the records of a call, and the rest of the call may succeed
    /// without them. All other errors are of the store.
    pub fn concerns_records(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::TooLarge { .. })
    }
}
