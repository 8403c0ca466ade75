use std::sync::Arc;

use async_trait::async_trait;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp, TransactionLimit};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use super::Embedded;
use super::request::Request;
use super::shared::Shared;
use crate::index::{Pages, StatsSum};
use crate::limits::{EMBEDDED_RECORD_BYTES, EMBEDDED_TRANSACTION_CHANGES, READS_INLINE};

#[async_trait]
impl Store for Embedded {
    fn partitions(&self) -> u16 {
        u16::try_from(self.shared.partitions.len()).unwrap_or(u16::MAX)
    }

    fn limits(&self) -> Limits {
        Limits {
            transaction: TransactionLimit {
                changes: EMBEDDED_TRANSACTION_CHANGES,
                ..TransactionLimit::NONE
            },
            record_bytes: EMBEDDED_RECORD_BYTES,
            is_far: false,
        }
    }

    /// It forgets nothing that it acknowledged.
    fn epoch(&self, _: PartitionId) -> Epoch {
        Epoch::default()
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        let mut look_up = self.shared.look_up(partition, keys)?;
        if look_up.places.is_empty() {
            return Ok(look_up.records);
        }
        let loaded = if look_up.places.len() <= READS_INLINE {
            self.shared.load(&look_up.places)?
        } else {
            let places = std::mem::take(&mut look_up.places);
            load_apart(self.shared.clone(), places).await?
        };
        Ok(self.shared.complete(partition, keys, look_up, loaded))
    }

    /// What is committed is on the disk when this returns, whatever happens then.
    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        if partition.0 >= self.partitions() {
            return Err(crate::no_partition(partition, self.partitions()));
        }
        let (request, written) = Request::new(partition, batch)?;
        match &self.writer {
            None => self.shared.commit(vec![request]),
            Some(writer) => {
                let sent = writer.requests.send(request).await;
                sent.map_err(|_| StoreError::Unavailable {
                    why: "its writer has stopped; restart the process".into(),
                })?;
            }
        }
        written.await.unwrap_or_else(|_| {
            Err(StoreError::Indeterminate {
                why: "its writer stopped during the commit; restart the process".into(),
            })
        })
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let partition = self.shared.partition(partition);
        Ok(partition.map_or_else(Vec::new, |p| p.index.due(before, limit)))
    }

    /// As far as the last writes tell: of a disk's room nothing is known before it is used up.
    async fn fullness(&self) -> Result<Option<String>, StoreError> {
        Ok(self.shared.fullness.why(self.shared.clock.now()))
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        let mut pages = Pages::new(listing);
        for id in (0..self.partitions()).map(PartitionId) {
            if let Some(partition) = self.shared.partition(id) {
                partition.index.list(listing, &mut pages);
            }
        }
        Ok(pages.finish())
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let mut sum = StatsSum::default();
        for id in (0..self.partitions()).map(PartitionId) {
            if let Some(partition) = self.shared.partition(id) {
                partition.index.count(&mut sum);
            }
        }
        Ok(sum.finish(&self.shared.oldest()?))
    }
}

/// Reads on a thread that may block.
#[cfg(not(madsim))]
async fn load_apart(
    shared: Arc<Shared>,
    places: Vec<Vec<u8>>,
) -> Result<Vec<Option<Versioned>>, StoreError> {
    let loaded = tokio::task::spawn_blocking(move || shared.load(&places)).await;
    let stopped = |error: tokio::task::JoinError| StoreError::Unavailable {
        why: error.to_string(),
    };
    loaded.map_err(stopped)?
}

/// The simulator has no threads.
#[cfg(madsim)]
async fn load_apart(
    shared: Arc<Shared>,
    places: Vec<Vec<u8>>,
) -> Result<Vec<Option<Versioned>>, StoreError> {
    shared.load(&places)
}
