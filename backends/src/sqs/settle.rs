//! Deliveries that end: deleted, or given back.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures::stream::{self, StreamExt};
use russet_core::planted;
use russet_engine::{QueueError, Receipt};

use super::message::Handle;
use super::{Inner, is_gone, unavailable};
use crate::aws::Fault;
use crate::limits::{SQS_BATCH, SQS_BATCHES_AT_ONCE, SQS_HIDDEN_MOST, SQS_RELEASE_MOST, SQS_TRIES};

/// How deliveries end.
#[derive(Clone, Copy)]
enum End {
    Deleted,
    /// Visible again after so many seconds.
    Visible(i32),
}

impl Inner {
    pub(super) async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.settle(receipts, End::Deleted).await
    }

    pub(super) async fn release(
        &self,
        receipts: Vec<Receipt>,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let delay = seconds(delay.min(SQS_RELEASE_MOST));
        self.settle(receipts, End::Visible(delay)).await
    }

    /// Settles what can be settled; the error is that of the first batch that could not.
    /// Receipts of nobody are no error.
    async fn settle(&self, receipts: Vec<Receipt>, end: End) -> Result<(), QueueError> {
        let mut queues: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for handle in receipts.into_iter().filter_map(Handle::read) {
            queues.entry(handle.queue).or_default().push(handle.handle);
        }
        let mut batches = Vec::new();
        for (queue, handles) in queues {
            if let Some(place) = self.directory.find(&queue) {
                let chunks = handles.chunks(SQS_BATCH).map(<[_]>::to_vec);
                batches.extend(chunks.map(|chunk| (place.url.clone(), chunk)));
            }
        }
        let settled: Vec<_> = stream::iter(batches)
            .map(|(url, handles)| self.settle_batch(url, handles, end))
            .buffered(SQS_BATCHES_AT_ONCE)
            .collect()
            .await;
        settled.into_iter().fold(Ok(()), Result::and)
    }

    /// Settles up to ten deliveries; those that SQS could not settle are tried again.
    async fn settle_batch(
        &self,
        url: String,
        mut handles: Vec<String>,
        end: End,
    ) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            let failed = match self.try_settle(&url, &handles, end).await {
                Ok(failed) => failed,
                Err(fault) if is_gone(&fault) => return Ok(()),
                Err(fault) => return Err(unavailable(&fault)),
            };
            // What is the sender's fault is a receipt that is void.
            let again = failed.iter().filter(|entry| !entry.sender_fault);
            let again = again.filter_map(|entry| entry.id.parse::<usize>().ok());
            handles = again.filter_map(|at| handles.get(at).cloned()).collect();
            tries += 1;
            if handles.is_empty() || planted!(SqsFailedDeleteDropped) {
                return Ok(());
            }
            if tries >= SQS_TRIES {
                let why = format!("SQS did not settle {} deliveries", handles.len());
                return Err(QueueError::Unavailable { why });
            }
            self.pauses.after(tries).await;
        }
    }

    async fn try_settle(
        &self,
        url: &str,
        handles: &[String],
        end: End,
    ) -> Result<Vec<BatchResultErrorEntry>, Fault> {
        match end {
            End::Deleted => self.try_delete(url, handles).await,
            End::Visible(seconds) => self.try_release(url, handles, seconds).await,
        }
    }

    pub(super) async fn try_delete(
        &self,
        url: &str,
        handles: &[String],
    ) -> Result<Vec<BatchResultErrorEntry>, Fault> {
        let entries = handles.iter().enumerate().map(|(at, handle)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
            entry.receipt_handle(handle).build()
        });
        let entries: Vec<_> = entries
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::Unsent(error.to_string()))?;
        let ask = || {
            self.called();
            let request = self.client.delete_message_batch().queue_url(url);
            request.set_entries(Some(entries.clone())).send()
        };
        Ok(self.pauses.again(SQS_TRIES, ask).await?.failed)
    }

    pub(super) async fn try_release(
        &self,
        url: &str,
        handles: &[String],
        seconds: i32,
    ) -> Result<Vec<BatchResultErrorEntry>, Fault> {
        let entries = handles.iter().enumerate().map(|(at, handle)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
            let entry = entry.receipt_handle(handle);
            entry.visibility_timeout(seconds).build()
        });
        let entries: Vec<_> = entries
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::Unsent(error.to_string()))?;
        let ask = || {
            self.called();
            let request = self.client.change_message_visibility_batch();
            let request = request.queue_url(url);
            request.set_entries(Some(entries.clone())).send()
        };
        Ok(self.pauses.again(SQS_TRIES, ask).await?.failed)
    }
}

/// Whole seconds, as SQS counts; parts of one count as one.
pub(super) fn seconds(duration: Duration) -> i32 {
    let duration = duration.min(SQS_HIDDEN_MOST);
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
