//! How many tasks of a queue may start: what a node asks before it looks for ready ones. The rules
//! decide again on each of them.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use lru::LruCache;
use russet_core::{Millis, QueueConfig, QueueName, Record, RecordKey, Timestamp, planted};
use rustc_hash::FxBuildHasher;

use super::{Node, Partition};
use crate::{EngineError, StoreError, Versioned, limits};

/// Queues of a partition that any number of tasks may start of, as a node has read lately. It
/// relies on that for [`limits::QUEUE_REMEMBERED`], and does not ask a store that is far for the
/// queue of each lease, submission and completion.
pub(super) struct Unlimited {
    /// Whether a queue that was never configured is limited.
    is_limited: bool,
    most: usize,
    known: Mutex<LruCache<QueueName, Known, FxBuildHasher>>,
}

struct Known {
    asked_at: Timestamp,
    /// `None`: it was never configured.
    record: Option<Versioned>,
}

impl Unlimited {
    /// Remembers so many queues at most.
    pub fn new(defaults: &QueueConfig, most: usize) -> Self {
        let known = LruCache::unbounded_with_hasher(FxBuildHasher);
        Self {
            is_limited: defaults.slots().is_some(),
            most,
            known: Mutex::new(known),
        }
    }

    /// The record of the queue, if it is remembered.
    pub fn get(&self, queue: &QueueName, now: Timestamp) -> Option<Option<Versioned>> {
        let remembered = Millis::new(limits::QUEUE_REMEMBERED.as_millis() as u64);
        let mut known = self.lock();
        let known = known.get(queue)?;
        // A clock that went back says nothing.
        let is_new = known.asked_at <= now && now < known.asked_at + remembered;
        (is_new || planted!(QueueNeverForgotten)).then(|| known.record.clone())
    }

    /// Notes what was found of a queue that was asked for then.
    pub fn note(&self, queue: &QueueName, asked_at: Timestamp, record: Option<Versioned>) {
        let found = record.as_ref().map(|known| &known.record);
        let is_limited = match found {
            Some(Record::Queue(known)) => known.free_slots().is_some(),
            _ => self.is_limited,
        };
        if is_limited {
            return self.forget(queue);
        }
        let mut known = self.lock();
        known.put(queue.clone(), Known { asked_at, record });
        while known.len() > self.most {
            known.pop_lru();
        }
    }

    /// The queue was changed, or a task of it may not start after all.
    pub fn forget(&self, queue: &QueueName) {
        self.lock().pop(queue);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<QueueName, Known, FxBuildHasher>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// How many more tasks of a queue may start now, in all partitions; `None`: any number. None
    /// starts in a partition that does not answer, or whose record of the queue cannot be read;
    /// where that is so of all of them, that is the error.
    pub(super) async fn free_slots(&self, queue: &QueueName) -> Result<Option<u64>, EngineError> {
        let is_far = self.backend.store.limits().is_far;
        let now = self.clock.now();
        let is_unlimited = |p: &Partition| p.unlimited.get(queue, now).is_some();
        if is_far && self.partitions.iter().any(is_unlimited) {
            return Ok(None);
        }
        let start = usize::from(self.answering.load(Ordering::Relaxed));
        let (before, after) = self.partitions.split_at(start.min(self.partitions.len()));
        let mut rest = after.iter().chain(before);
        let first = loop {
            let Some(partition) = rest.next() else {
                // None of them: then the first one has all the time that it takes.
                break self.slots_in(&self.partitions[0], queue).await?;
            };
            if let Ok(slots) = self.soon(partition, queue).await {
                self.answering.store(partition.id.0, Ordering::Relaxed);
                break slots;
            }
        };
        let Some(first) = first else {
            return Ok(None);
        };
        let mut free = u64::from(first);
        let others = join_all(rest.map(|partition| self.soon(partition, queue))).await;
        for slots in others.into_iter().filter_map(Result::ok) {
            match slots {
                Some(slots) => free += u64::from(slots),
                None => return Ok(None),
            }
        }
        Ok(Some(free))
    }

    /// What is said of a queue whose record cannot be read, in the log as well.
    fn unreadable_queue(
        &self,
        queue: &QueueName,
        error: &StoreError,
        now: Timestamp,
    ) -> StoreError {
        let why =
            format!("the settings of queue {queue} cannot be read, no task of it starts: {error}");
        if self.damage.is_news(error, now) {
            tracing::error!("{why}");
        }
        StoreError::Unreadable { why }
    }

    /// As [`Self::slots_in`], of a partition that answers soon.
    async fn soon(
        &self,
        partition: &Partition,
        queue: &QueueName,
    ) -> Result<Option<u32>, EngineError> {
        if !self.backend.store.limits().is_far {
            return self.slots_in(partition, queue).await;
        }
        tokio::select! {
            biased;
            slots = self.slots_in(partition, queue) => slots,
            () = self.clock.sleep(limits::SLOTS_PATIENCE) => {
                let why = "it does not answer in time".to_owned();
                Err(StoreError::Unavailable { why }.into())
            }
        }
    }

    /// How many more tasks of a queue may start now in one partition; `None`: any number.
    async fn slots_in(
        &self,
        partition: &Partition,
        queue: &QueueName,
    ) -> Result<Option<u32>, EngineError> {
        let now = self.clock.now();
        let keys = [RecordKey::Queue(queue.clone())];
        let found = match self.backend.store.get(partition.id, &keys).await {
            Err(error) if error.concerns_records() => {
                return Err(self.unreadable_queue(queue, &error, now).into());
            }
            found => found?.into_iter().next().flatten(),
        };
        if self.backend.store.limits().is_far {
            partition.unlimited.note(queue, now, found.clone());
        }
        Ok(match found.map(|known| known.record) {
            Some(Record::Queue(known)) => known.free_slots(),
            _ => self.configuration.queue_defaults.slots(),
        })
    }

    /// Forgets what is known of a queue.
    pub(super) fn forget_queue(&self, queue: &QueueName) {
        for partition in &self.partitions {
            partition.unlimited.forget(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_the_oldest_queues_are_forgotten_beyond_the_number() {
        let unlimited = Unlimited::new(&QueueConfig::default(), 3);
        let now = Timestamp::from_millis(1_000);
        let queue = |n: u32| QueueName::new(format!("queue-{n}")).expect("a name");
        for n in 0..10 {
            unlimited.note(&queue(n), now, None);
        }
        let known = (0..10).filter(|n| unlimited.get(&queue(*n), now).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [7, 8, 9]);
        let later = now + Millis::new(limits::QUEUE_REMEMBERED.as_millis() as u64);
        let earlier = Timestamp::from_millis(999);
        for other in [later, earlier] {
            assert_eq!(unlimited.get(&queue(9), other), None, "{other}");
        }
    }
}
