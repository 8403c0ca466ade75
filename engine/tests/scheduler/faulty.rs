//! A store that wraps another and misbehaves as told, drawn from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use russet_engine::core::{Epoch, PartitionId, Record, RecordKey, TaskId, Timestamp};
use russet_engine::{
    Due, Entropy, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use crate::world::Seeded;

/// How often, in a thousand calls, a store misbehaves.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Commits that report a conflict without having been tried.
    pub conflict: u64,
    /// Commits that are done and whose reply is lost.
    pub reply_lost: u64,
    /// A partition that lost a reply does not answer any more.
    pub down_after_loss: bool,
    /// Commits that are not done and whose reply is lost.
    pub request_lost: u64,
    /// Calls that fail at once.
    pub unavailable: u64,
    /// Listings of workflows in which nothing is found yet.
    pub unlisted: u64,
    /// Loads of which nobody can say that they are safe.
    pub unconfirmed: u64,
    /// How long every commit takes.
    pub delay: Duration,
    /// How long a load takes at most.
    pub load_delay: Duration,
    /// Most changes in one transaction, if not as the inner store says.
    pub transaction_changes: Option<usize>,
    /// Most bytes in one transaction, if not as the inner store says.
    pub transaction_bytes: Option<usize>,
    /// Loading is said to take a round trip.
    pub far: bool,
}

/// Some records of partitions.
pub type Records = Mutex<BTreeSet<(PartitionId, RecordKey)>>;

pub struct Faulty {
    inner: Arc<dyn Store>,
    faults: Faults,
    random: Seeded,
    pub commits: AtomicU64,
    pub loads: AtomicU64,
    /// Tasks among what was loaded.
    pub loaded_tasks: AtomicU64,
    pub injected: AtomicU64,
    /// Records that cannot be read.
    pub unreadable: Records,
    /// Records that cannot be written.
    pub too_large: Records,
    /// The store as a whole cannot be read.
    pub damaged: AtomicBool,
    /// Partitions that do not answer.
    pub down: Mutex<BTreeSet<PartitionId>>,
    /// How many of the next commits lose their reply.
    pub lose: AtomicU64,
    /// Partitions whose commits take so long.
    pub slow: Mutex<BTreeMap<PartitionId, Duration>>,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Store>, faults: Faults, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults,
            random: Seeded::new(seed),
            commits: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            loaded_tasks: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            unreadable: Mutex::default(),
            too_large: Mutex::default(),
            damaged: AtomicBool::new(false),
            down: Mutex::default(),
            lose: AtomicU64::new(0),
            slow: Mutex::default(),
        })
    }

    fn happens(&self, per_thousand: u64) -> bool {
        let happens = self.random.next_u64() % 1_000 < per_thousand;
        self.injected
            .fetch_add(u64::from(happens), Ordering::Relaxed);
        happens
    }

    fn available(&self, partition: PartitionId) -> Result<(), StoreError> {
        let is_down = self.down.lock().expect("lock").contains(&partition);
        if is_down || self.happens(self.faults.unavailable) {
            return Err(StoreError::Unavailable {
                why: "injected".into(),
            });
        }
        Ok(())
    }

    fn readable<'a>(
        &self,
        partition: PartitionId,
        keys: impl IntoIterator<Item = &'a RecordKey>,
    ) -> Result<(), StoreError> {
        if self.damaged.load(Ordering::Relaxed) {
            return Err(StoreError::Damaged {
                why: "injected".into(),
            });
        }
        match first_of(partition, keys, &self.unreadable) {
            Some(key) => Err(StoreError::Unreadable {
                why: format!("the record {key:?} cannot be read: injected; restore it"),
            }),
            None => Ok(()),
        }
    }
}

fn first_of<'a>(
    partition: PartitionId,
    keys: impl IntoIterator<Item = &'a RecordKey>,
    records: &Records,
) -> Option<&'a RecordKey> {
    let records = records.lock().expect("lock");
    keys.into_iter()
        .find(|key| records.contains(&(partition, (*key).clone())))
}

#[async_trait]
impl Store for Faulty {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn limits(&self) -> Limits {
        let mut limits = self.inner.limits();
        if let Some(most) = self.faults.transaction_changes {
            limits.transaction.changes = most;
        }
        if let Some(most) = self.faults.transaction_bytes {
            limits.transaction.bytes = most;
        }
        limits.is_far = self.faults.far;
        limits
    }

    fn epoch(&self, partition: PartitionId) -> Epoch {
        self.inner.epoch(partition)
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let tasks = keys.iter().filter(|key| matches!(key, RecordKey::Task(_)));
        self.loaded_tasks
            .fetch_add(tasks.count() as u64, Ordering::Relaxed);
        if !self.faults.load_delay.is_zero() {
            let percent = (self.random.next_u64() % 101) as u32;
            tokio::time::sleep(self.faults.load_delay * percent / 100).await;
        }
        self.available(partition)?;
        self.readable(partition, keys)?;
        self.inner.get(partition, keys).await
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let limits = self.limits();
        for transaction in &batch {
            let changes = &transaction.changes;
            let weights = changes.iter().filter_map(|change| change.after.as_ref());
            let bytes: usize = weights.map(Record::weight).sum();
            assert!(
                limits.transaction.admits(changes.len(), bytes),
                "{} changes of {bytes} bytes",
                changes.len()
            );
        }
        let slow = self.slow.lock().expect("lock").get(&partition).copied();
        let delay = self.faults.delay + slow.unwrap_or_default();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.available(partition)?;
        let changes = batch.iter().flat_map(|transaction| &transaction.changes);
        if let Some(key) = first_of(
            partition,
            changes.map(|change| &change.key),
            &self.too_large,
        ) {
            let why = format!("the record {key:?}: injected");
            return Err(StoreError::TooLarge { why });
        }
        if self.happens(self.faults.request_lost) {
            return Err(StoreError::Indeterminate {
                why: "injected before".into(),
            });
        }
        let (refused, tried): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .enumerate()
            .partition(|_| self.happens(self.faults.conflict));
        let mut outcomes = vec![Outcome::Conflict; refused.len() + tried.len()];
        let (positions, tried): (Vec<_>, Vec<_>) = tried.into_iter().unzip();
        let done = self.inner.commit(partition, tried).await?;
        for (at, outcome) in positions.into_iter().zip(done) {
            outcomes[at] = outcome;
        }
        let less = |left: u64| left.checked_sub(1);
        let is_told = self
            .lose
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if is_told.is_ok() || self.happens(self.faults.reply_lost) {
            if self.faults.down_after_loss {
                self.down.lock().expect("lock").insert(partition);
            }
            return Err(StoreError::Indeterminate {
                why: "injected after".into(),
            });
        }
        Ok(outcomes)
    }

    async fn confirm(&self, partition: PartitionId, epoch: Epoch) -> Result<Outcome, StoreError> {
        if self.happens(self.faults.unconfirmed) {
            return Err(StoreError::Unavailable {
                why: "injected: it is not safe".into(),
            });
        }
        self.inner.confirm(partition, epoch).await
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.available(partition)?;
        self.inner.due(partition, before, limit).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        if listing.workflow.is_some() && self.happens(self.faults.unlisted) {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        }
        self.inner.list(listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats().await
    }
}
