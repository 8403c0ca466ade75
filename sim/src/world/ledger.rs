//! What the store has committed, beside the store: the base of all checks. It outlives the
//! store's crashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::{
    PartitionId, QueueName, Record, RecordKey, Status, TaskId, Timestamp, WorkflowId,
};
use russet_engine::{Listing, Order, Queue, Store, StoreError, Transaction, Versioned};

use super::time::now;
use crate::history::{Actor, Assured, At, Changed, Effect, Journal, Look, Moment, Stored, What};

/// The ledger. Clones are the same one.
#[derive(Clone)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    journal: Journal,
}

/// Records, and those that are gone.
pub type Records = BTreeMap<(PartitionId, RecordKey), Option<Record>>;

/// What is to be looked at, and from when on.
pub struct Sights {
    moment: Moment,
    places: BTreeMap<PartitionId, Vec<RecordKey>>,
    queues: Vec<QueueName>,
    workflows: Vec<WorkflowId>,
}

#[derive(Default)]
struct Books {
    records: Records,
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
        let changes = transaction.changes.into_iter();
        self.stored(
            by,
            partition,
            changes.map(|change| (change.key, change.after)),
        );
    }

    /// Writes down what became of records in one atomic step.
    pub fn stored(
        &self,
        by: Actor,
        partition: PartitionId,
        changes: impl IntoIterator<Item = (RecordKey, Option<Record>)>,
    ) {
        let mut books = self.lock();
        let changes = changes.into_iter().map(|(key, after)| {
            let place = (partition, key.clone());
            let before = books.records.insert(place, after.clone()).flatten();
            Changed { key, before, after }
        });
        let changes = changes.collect();
        let stored = Stored {
            partition,
            by,
            changes,
        };
        self.journal.write(now(), What::Stored(stored));
    }

    /// Writes down that a queue hides tasks.
    pub fn hidden(&self, tasks: Vec<TaskId>, until: At, delivered: bool) {
        let hidden = What::Hidden {
            tasks,
            until,
            delivered,
        };
        self.journal.write(now(), hidden);
    }

    /// The record as it is now.
    pub fn record(&self, partition: PartitionId, key: &RecordKey) -> Option<Record> {
        let place = (partition, key.clone());
        self.lock().records.get(&place).cloned().flatten()
    }

    /// Every record that there is or was.
    pub fn records(&self) -> Records {
        self.lock().records.clone()
    }

    /// Writes down that the store has forgotten, in the partitions that are meant, what came after
    /// these records.
    pub fn go_back(&self, records: Records, is_meant: impl Fn(PartitionId) -> bool) {
        let now_known = self.records();
        let gone = now_known
            .iter()
            .filter(|(place, known)| is_meant(place.0) && records.get(*place) != Some(known));
        let mut changes: BTreeMap<PartitionId, Vec<_>> = BTreeMap::new();
        for ((partition, key), _) in gone {
            let before = records.get(&(*partition, key.clone())).cloned().flatten();
            let own = changes.entry(*partition).or_default();
            own.push((key.clone(), before));
        }
        for (partition, changes) in changes {
            self.stored(Actor::Store, partition, changes);
        }
    }

    /// Notes that a call was refused.
    pub fn turned_away(&self, node: Actor) {
        self.journal.write(now(), What::TurnedAway { node });
    }

    /// Notes what a call of a node has met.
    pub fn met(&self, node: Actor, effect: Effect) {
        self.journal.write(now(), What::Met { node, effect });
    }

    /// Notes what the adapter of a queue told its node.
    pub fn assured(&self, node: Actor, assured: Assured) {
        self.journal.write(now(), What::Assured { node, assured });
    }

    /// Notes that a queue has lost a message by a deletion that no node had asked for.
    pub fn unsettled(&self, task: TaskId) {
        self.journal.write(now(), What::Unsettled { task });
    }

    /// Whether the store shows all that a transaction changes.
    pub fn shows(&self, partition: PartitionId, transaction: &Transaction) -> bool {
        let books = self.lock();
        let mut changes = transaction.changes.iter();
        changes.all(|change| {
            let known = books.records.get(&(partition, change.key.clone()));
            known.and_then(Option::as_ref) == change.after.as_ref()
        })
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

    /// What there is to be looked at now.
    pub fn sights(&self) -> Sights {
        let books = self.lock();
        let (mut queues, mut workflows) = (Vec::new(), Vec::new());
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((partition, key), record) in &books.records {
            places.entry(*partition).or_default().push(key.clone());
            if let Some(Record::Task(task)) = record {
                queues.push(task.queue.clone());
                workflows.extend(task.workflow);
            }
        }
        queues.sort();
        queues.dedup();
        workflows.sort();
        workflows.dedup();
        Sights {
            moment: self.journal.moment(now()),
            places,
            queues,
            workflows,
        }
    }

    /// Looks at everything that the store says of itself. It is as it was when the sights were
    /// chosen, since nothing here waits or since it is a copy.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn look(
        &self,
        sights: Sights,
        store: &dyn Store,
        queue: Option<&dyn Queue>,
    ) -> Result<(), StoreError> {
        let Sights {
            moment,
            places,
            queues,
            workflows,
        } = sights;
        let mut look = Look::default();
        for (partition, keys) in places {
            let found = store.get(partition, &keys).await?.into_iter();
            let records = found.map(|known| known.map(|known| known.record));
            let places = keys.into_iter().map(|key| (partition, key));
            look.records.extend(places.zip(records));
        }
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
        let looked = What::Looked(Box::new(look));
        self.journal.write_at(moment, looked);
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
