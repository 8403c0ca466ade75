//! What the store has committed, beside the store: the base of all checks. It outlives the
//! store's crashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::{
    PartitionId, QueueName, Record, RecordKey, Status, TaskId, Timestamp, WorkflowId,
};
use russet_engine::{Listing, Order, Queue, Store, StoreError, Transaction, Versioned};

use super::time::now;
use crate::history::{Actor, Changed, Journal, Look, Stored, What};

/// The ledger. Clones are the same one.
#[derive(Clone)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    journal: Journal,
}

#[derive(Default)]
struct Books {
    records: BTreeMap<(PartitionId, RecordKey), Option<Record>>,
    /// Transactions whose commit failed in a way that leaves both possible.
    doubts: Vec<(Actor, PartitionId, Transaction)>,
}

impl Ledger {
    /// An empty ledger that writes into `journal`.
    pub fn new(journal: Journal) -> Self {
        Self {
            books: Arc::default(),
            journal,
        }
    }

    /// Writes down a commit.
    pub fn committed(&self, by: Actor, partition: PartitionId, transaction: Transaction) {
        let mut books = self.lock();
        let changes = transaction.changes.into_iter().map(|change| {
            let place = (partition, change.key.clone());
            let before = books.records.insert(place, change.after.clone()).flatten();
            Changed {
                key: change.key,
                before,
                after: change.after,
            }
        });
        let changes = changes.collect();
        let stored = Stored {
            partition,
            by,
            changes,
        };
        self.journal.write(now(), What::Stored(stored));
    }

    /// Notes that a call was refused.
    pub fn turned_away(&self, node: Actor) {
        self.journal.write(now(), What::TurnedAway { node });
    }

    /// Notes transactions that may be committed or not.
    pub fn doubt(&self, by: Actor, partition: PartitionId, batch: Vec<Transaction>) {
        let doubts = batch
            .into_iter()
            .map(|transaction| (by, partition, transaction));
        self.lock().doubts.extend(doubts);
    }

    /// Looks which of the doubtful transactions are there, after the store was opened again.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn settle(&self, store: &dyn Store) -> Result<(), StoreError> {
        let doubts = std::mem::take(&mut self.lock().doubts);
        for (by, partition, transaction) in doubts {
            let keys: Vec<_> = transaction.changes.iter().map(|c| c.key.clone()).collect();
            let found = store.get(partition, &keys).await?;
            let done = found
                .iter()
                .zip(&transaction.changes)
                .all(|(found, change)| match (found, &change.after) {
                    (Some(Versioned { version, .. }), Some(_)) => *version == transaction.version,
                    (found, None) => found.is_none(),
                    (None, Some(_)) => false,
                });
            if done {
                self.committed(by, partition, transaction);
            }
        }
        Ok(())
    }

    /// How many tasks have not ended.
    pub fn live(&self) -> usize {
        let books = self.lock();
        let live = books.records.values().filter(|record| match record {
            Some(Record::Task(task)) => !task.status.is_terminal(),
            _ => false,
        });
        live.count()
    }

    /// The ids of the tasks that there are.
    fn tasks(&self) -> (Vec<QueueName>, Vec<WorkflowId>) {
        let books = self.lock();
        let (mut queues, mut workflows) = (Vec::new(), Vec::new());
        for record in books.records.values().flatten() {
            if let Record::Task(task) = record {
                queues.push(task.queue.clone());
                workflows.extend(task.workflow);
            }
        }
        queues.sort();
        queues.dedup();
        workflows.sort();
        workflows.dedup();
        (queues, workflows)
    }

    /// Looks at everything that the store says of itself. No commit comes between: nothing here
    /// waits.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn look(
        &self,
        store: &dyn Store,
        queue: Option<&dyn Queue>,
    ) -> Result<(), StoreError> {
        let mut look = Look::default();
        let places: Vec<_> = self.lock().records.keys().cloned().collect();
        for (partition, key) in places {
            let found = store.get(partition, std::slice::from_ref(&key)).await?;
            let record = found.into_iter().next().flatten().map(|known| known.record);
            look.records.insert((partition, key), record);
        }
        let (queues, workflows) = self.tasks();
        look.stats = store.stats().await?;
        look.all = pages(store, Listing::default()).await?;
        for name in &queues {
            for status in Status::ALL {
                let listing = Listing {
                    queue: Some(name.clone()),
                    status: Some(status),
                    ..Listing::default()
                };
                let found = pages(store, listing).await?;
                look.by_status.insert((name.clone(), status), found);
            }
        }
        for workflow in workflows {
            let listing = Listing {
                workflow: Some(workflow),
                ..Listing::default()
            };
            look.by_workflow
                .insert(workflow, pages(store, listing).await?);
        }
        for partition in (0..store.partitions()).map(PartitionId) {
            let due = store.due(
                partition,
                Timestamp::from_millis(u64::MAX >> 16),
                usize::MAX >> 1,
            );
            look.timers.insert(partition, due.await?);
        }
        if let Some(queue) = queue {
            look.ready = Some(ready(queue, &queues).await?);
        }
        self.journal.write(now(), What::Looked(Box::new(look)));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pages(store: &dyn Store, mut listing: Listing) -> Result<Vec<TaskId>, StoreError> {
    listing.limit = 37;
    listing.order = Order::Oldest;
    let mut all = Vec::new();
    loop {
        let page = store.list(&listing).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => listing.after = Some(next),
            None => return Ok(all),
        }
    }
}

async fn ready(
    queue: &dyn Queue,
    names: &[QueueName],
) -> Result<BTreeMap<QueueName, u64>, StoreError> {
    let unavailable = |error: russet_engine::QueueError| StoreError::Unavailable {
        why: error.to_string(),
    };
    let mut ready = BTreeMap::new();
    for name in names {
        let mut sum = 0;
        for lane in queue.lanes(name).await.map_err(unavailable)? {
            let depth = queue.depth(&lane).await.map_err(unavailable)?;
            sum += depth.visible + depth.hidden;
        }
        ready.insert(name.clone(), sum);
    }
    Ok(ready)
}
