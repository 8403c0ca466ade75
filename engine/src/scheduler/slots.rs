//! How many tasks of a queue may start: what a node asks before it looks for ready ones. The rules
//! decide again on each of them.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use russet_core::{Millis, QueueName, Record, RecordKey, Timestamp};
use rustc_hash::FxBuildHasher;

use super::Node;
use crate::{EngineError, limits};

/// Queues that any number of tasks may start of, as the node has read lately, and how long it
/// relies on that. It looks at every lease, and does not ask a store that is far each time.
pub(super) struct Unlimited {
    until: Mutex<LruCache<QueueName, Timestamp, FxBuildHasher>>,
}

impl Unlimited {
    pub fn new() -> Self {
        let most = NonZeroUsize::new(limits::QUEUES_REMEMBERED).unwrap_or(NonZeroUsize::MIN);
        let until = LruCache::with_hasher(most, FxBuildHasher);
        Self {
            until: Mutex::new(until),
        }
    }

    fn has(&self, queue: &QueueName, now: Timestamp) -> bool {
        self.lock().get(queue).is_some_and(|until| now < *until)
    }

    fn note(&self, queue: &QueueName, now: Timestamp) {
        let refresh = Millis::new(limits::SLOTS_REFRESH.as_millis() as u64);
        self.lock().put(queue.clone(), now + refresh);
    }

    /// The queue was changed, or a task of it may not start after all.
    pub fn forget(&self, queue: &QueueName) {
        self.lock().pop(queue);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<QueueName, Timestamp, FxBuildHasher>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// How many more tasks of a queue may start now, in all partitions; `None`: any number.
    pub(super) async fn free_slots(&self, queue: &QueueName) -> Result<Option<u64>, EngineError> {
        let is_far = self.backend.store.limits().is_far;
        let now = self.clock.now();
        if is_far && self.unlimited.has(queue, now) {
            return Ok(None);
        }
        let keys = [RecordKey::Queue(queue.clone())];
        let mut free = 0;
        for partition in &self.partitions {
            let found = self.load(partition.id, &keys).await?;
            let slots = match found.into_iter().next().flatten() {
                Some(Record::Queue(known)) => known.free_slots(),
                _ => self.configuration.queue_defaults.slots(),
            };
            match slots {
                Some(slots) => free += u64::from(slots),
                None if is_far => {
                    self.unlimited.note(queue, now);
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
        Ok(Some(free))
    }
}
