use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::stream::{self, StreamExt};
use russet_core::{Lane, TaskId, planted};
use russet_engine::{Message, QueueError};

use super::directory::Place;
use super::name::Band;
use super::{Inner, is_gone, message, unavailable};
use crate::aws::Fault;
use crate::limits::{SQS_BATCH, SQS_BATCHES_AT_ONCE, SQS_TRIES};

impl Inner {
    /// Sends what can be sent; the error is that of the first batch that could not.
    pub(super) async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let mut queues: BTreeMap<(Lane, Band), Vec<TaskId>> = BTreeMap::new();
        for message in messages {
            let band = Band::of(&message);
            let queue = queues.entry((message.lane, band)).or_default();
            queue.push(message.task);
        }
        let mut batches: Vec<(Arc<Place>, Band, Vec<TaskId>)> = Vec::new();
        let mut result = Ok(());
        for ((lane, band), tasks) in queues {
            let name = self.prefix.queue(&lane, band);
            if planted!(SqsQueueForgotten) && self.directory.find(&name).is_none() {
                continue;
            }
            match self.place(&lane, band, self.create).await {
                Ok(place) => {
                    let chunks = tasks.chunks(SQS_BATCH).map(<[_]>::to_vec);
                    batches.extend(chunks.map(|chunk| (place.clone(), band, chunk)));
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        let sent: Vec<_> = stream::iter(batches)
            .map(|(place, band, tasks)| self.send_batch(place, band, tasks))
            .buffered(SQS_BATCHES_AT_ONCE)
            .collect()
            .await;
        sent.into_iter().fold(result, Result::and)
    }

    /// Sends up to ten messages; those that SQS could not take are sent again.
    async fn send_batch(
        &self,
        mut place: Arc<Place>,
        band: Band,
        mut tasks: Vec<TaskId>,
    ) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            match self.try_send(&place, &tasks).await {
                Ok(failed) if failed.is_empty() || planted!(SqsFailedSendDropped) => return Ok(()),
                Ok(failed) => tasks = failed.iter().map(|at| tasks[*at]).collect(),
                Err(fault) if is_gone(&fault) && tries == 0 => {
                    self.directory.forget(&place.name);
                    place = self.place(&place.lane, band, self.create).await?;
                }
                Err(fault) => return Err(unavailable(&fault)),
            }
            tries += 1;
            if tries >= SQS_TRIES {
                let why = format!("SQS did not take {} messages", tasks.len());
                return Err(QueueError::Unavailable { why });
            }
            self.pauses.after(tries).await;
        }
    }

    /// The positions of those that SQS could not take.
    async fn try_send(&self, place: &Place, tasks: &[TaskId]) -> Result<Vec<usize>, Fault> {
        let entries = tasks.iter().enumerate().map(|(at, task)| {
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string());
            entry.message_body(message::write(*task)).build()
        });
        let entries: Vec<_> = entries
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::Unsent(error.to_string()))?;
        let ask = || {
            self.called();
            let request = self.client.send_message_batch().queue_url(&place.url);
            request.set_entries(Some(entries.clone())).send()
        };
        let sent = self.pauses.again(SQS_TRIES, ask).await?;
        let mut failed = Vec::new();
        for entry in &sent.failed {
            if entry.sender_fault {
                return Err(Fault::Refused {
                    code: entry.code.clone(),
                    why: entry.message.clone().unwrap_or_default(),
                });
            }
            let at = entry.id.parse().ok();
            failed.extend(at.filter(|at: &usize| *at < tasks.len()));
        }
        Ok(failed)
    }
}
