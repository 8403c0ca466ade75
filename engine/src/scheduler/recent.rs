//! What a node knows of tasks without asking: what it committed last, or weighed for a lease.
//! Others may have changed it since. Whoever decides on it has the commit find that out, which
//! compares versions, or loads what no commit compares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use russet_core::{Record, RecordKey, Status, Task, TaskId};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Node;
use super::weight::weight;
use crate::{EngineError, Transaction, Versioned, limits};

/// Tasks of a partition that a worker has, or may soon have.
pub(super) struct Recent {
    most_bytes: usize,
    known: Mutex<Known>,
}

struct Known {
    tasks: LruCache<TaskId, Versioned, FxBuildHasher>,
    bytes: usize,
}

/// What a transaction makes of tasks, once it is committed.
pub(super) type Notes = Vec<(TaskId, Option<Versioned>)>;

impl Recent {
    /// Keeps tasks of about so many bytes.
    pub fn new(most_bytes: usize) -> Self {
        let known = Known {
            tasks: LruCache::unbounded_with_hasher(FxBuildHasher),
            bytes: 0,
        };
        Self {
            most_bytes,
            known: Mutex::new(known),
        }
    }

    /// Whether anything is kept.
    pub fn is_kept(&self) -> bool {
        self.most_bytes > 0
    }

    pub fn get(&self, task: TaskId) -> Option<Versioned> {
        self.lock().tasks.get(&task).cloned()
    }

    /// What the transaction has to tell here when it is committed.
    pub fn notes(&self, transaction: &Transaction) -> Notes {
        if !self.is_kept() {
            return Notes::new();
        }
        let version = transaction.version;
        let tasks = transaction.changes.iter().filter_map(|change| {
            let RecordKey::Task(task) = change.key else {
                return None;
            };
            let after = change.after.clone();
            Some((task, after.map(|record| Versioned { version, record })))
        });
        tasks.collect()
    }

    /// Keeps the tasks that are soon asked for again, and forgets the others.
    pub fn note(&self, notes: impl IntoIterator<Item = (TaskId, Option<Versioned>)>) {
        if !self.is_kept() {
            return;
        }
        let mut known = self.lock();
        for (task, now) in notes {
            known.forget(task);
            if let Some(now) = now.filter(is_soon) {
                known.bytes += bytes_of(&now);
                known.tasks.put(task, now);
            }
        }
        while known.bytes > self.most_bytes {
            let Some((_, oldest)) = known.tasks.pop_lru() else {
                break;
            };
            known.bytes -= bytes_of(&oldest);
        }
    }

    pub fn forget(&self, tasks: impl Iterator<Item = TaskId>) {
        let mut known = self.lock();
        tasks.for_each(|task| known.forget(task));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, task: TaskId) {
        if let Some(known) = self.tasks.pop(&task) {
            self.bytes -= bytes_of(&known);
        }
    }
}

fn bytes_of(known: &Versioned) -> usize {
    task(known).map_or(0, |task| limits::RECENT_TASK_BYTES + weight(task))
}

fn task(known: &Versioned) -> Option<&Arc<Task>> {
    match &known.record {
        Record::Task(task) => Some(task),
        _ => None,
    }
}

/// Whether a task is soon leased, or held by a worker.
fn is_soon(known: &Versioned) -> bool {
    task(known).is_some_and(|task| matches!(task.status, Status::Queued | Status::Running))
}

impl Node {
    /// Those of the tasks that are there. They may have changed.
    pub(super) async fn recall(
        &self,
        ids: &[TaskId],
    ) -> Result<FxHashMap<TaskId, Arc<Task>>, EngineError> {
        let mut found = FxHashMap::default();
        for partition in &self.partitions {
            let mut unknown = Vec::new();
            for id in ids.iter().filter(|id| id.partition() == partition.id) {
                match partition.recent.get(*id) {
                    Some(known) => found.extend(task(&known).map(|task| (*id, task.clone()))),
                    None => unknown.push(RecordKey::Task(*id)),
                }
            }
            if unknown.is_empty() {
                continue;
            }
            let loaded = self.backend.store.get(partition.id, &unknown).await?;
            let loaded: Vec<_> = loaded.into_iter().flatten().collect();
            let own = loaded.iter().filter_map(task);
            found.extend(own.map(|task| (task.id, task.clone())));
            partition
                .recent
                .note(loaded.into_iter().filter_map(|known| {
                    let id = task(&known)?.id;
                    Some((id, Some(known)))
                }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {

    use russet_backends::conformance::fixtures;
    use russet_core::{PartitionId, Timestamp};

    use super::*;
    use crate::Version;

    fn queued(n: u64) -> (TaskId, Versioned) {
        let now = Timestamp::from_millis(1_000);
        let id = TaskId::new(now, PartitionId(0), n);
        let record = Record::Task(Arc::new(fixtures::queued(id, now)));
        let version = Version(n);
        (id, Versioned { version, record })
    }

    #[test]
    fn bounded_the_oldest_tasks_are_forgotten_beyond_the_bytes() {
        let recent = Recent::new(10 * limits::RECENT_TASK_BYTES);
        for (id, known) in (0..100).map(queued) {
            recent.note([(id, Some(known))]);
        }
        let there = (0..100).filter(|n| recent.get(queued(*n).0).is_some());
        let there: Vec<u64> = there.collect();
        assert!((1..=10).contains(&there.len()), "{there:?}");
        assert_eq!(there.last(), Some(&99));
    }

    #[test]
    fn a_task_that_is_gone_or_has_ended_is_not_kept() {
        let recent = Recent::new(limits::RECENT_BYTES);
        let (id, known) = queued(1);
        recent.note([(id, Some(known.clone()))]);
        assert_eq!(recent.get(id), Some(known.clone()));
        recent.note([(id, None)]);
        assert_eq!(recent.get(id), None);
        let Record::Task(task) = &known.record else {
            panic!("a task");
        };
        let mut ended = Task::clone(task);
        ended.status = Status::Succeeded;
        let record = Record::Task(Arc::new(ended));
        recent.note([(id, Some(Versioned { record, ..known }))]);
        assert_eq!(recent.get(id), None);
    }
}
