//! The names of all queues that ever had a task. A name is registered before the first commit
//! that uses it, so that no task is ever listed or counted nowhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use russet_core::{QueueName, Record};
use russet_engine::{StoreError, Transaction};

use super::query::Group;
use super::{Dynamo, fail, item, shape};
use crate::limits::DYNAMO_QUEUES_REMEMBERED;

/// The names that are known to be registered.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<BTreeSet<QueueName>>);

impl Queues {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<QueueName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names in a batch that may not be registered yet.
    fn unknown(&self, batch: &[Transaction]) -> BTreeSet<QueueName> {
        let known = self.lock();
        let changes = batch.iter().flat_map(|transaction| &transaction.changes);
        let names = changes.filter_map(|change| match &change.after {
            Some(Record::Task(task)) => Some(&task.queue),
            _ => None,
        });
        names
            .filter(|name| !known.contains(*name))
            .cloned()
            .collect()
    }

    fn remember(&self, queue: QueueName) {
        let mut known = self.lock();
        if known.len() >= DYNAMO_QUEUES_REMEMBERED {
            known.clear();
        }
        known.insert(queue);
    }
}

impl Dynamo {
    pub(super) async fn register(&self, batch: &[Transaction]) -> Result<(), StoreError> {
        for queue in self.queues.unknown(batch) {
            let ask = || {
                let request = self.client.put_item().table_name(&self.table);
                request
                    .set_item(Some(item::registration(&queue)))
                    .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                    .send()
            };
            let done = self.again(ask).await.map_err(|f| fail::reading(&f))?;
            self.meter.write_units(done.consumed_capacity.as_slice());
            self.queues.remember(queue);
        }
        Ok(())
    }

    /// The names that are listed in this group, in order.
    pub(super) async fn names(&self, group: Vec<u8>) -> Result<Vec<QueueName>, StoreError> {
        let mut found = BTreeSet::new();
        let mut start = None;
        loop {
            let names = Group::Listed(group.clone());
            let page = self.query(names).from(start).read().await?;
            for entry in &page.entries {
                let name = item::bytes_of(entry, item::ID).unwrap_or_default();
                let name = std::str::from_utf8(name).ok();
                let name = name.and_then(|name| QueueName::new(name).ok());
                found.extend(self.entry(shape::LISTINGS, entry, name));
            }
            start = page.next;
            if start.is_none() {
                return Ok(found.into_iter().collect());
            }
        }
    }
}
