use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName;
use russet_core::{Lane, QueueName, planted};
use russet_engine::{Delivery, Depth, Message, Queue, QueueError, Receipt};

use super::{Inner, Sqs, is_gone, unavailable};
use crate::aws::Fault;
use crate::limits::SQS_TRIES;

const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
const HIDDEN: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;

#[async_trait]
impl Queue for Sqs {
    fn is_fused(&self) -> bool {
        false
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        if planted!(SqsSendUnawaited) {
            let inner = self.0.clone();
            drop(tokio::spawn(async move { inner.send(messages).await }));
            return Ok(());
        }
        self.0.send(messages).await
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        Inner::receive(&self.0, from, max, visibility, wait).await
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.0.delete(receipts).await
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        self.0.release(receipts, delay).await
    }

    /// What is known; now and then other nodes' queues are looked for meanwhile.
    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError> {
        if self.0.directory.is_time_to_look(self.0.clock.now()) {
            let inner = self.0.clone();
            drop(tokio::spawn(async move {
                if let Err(fault) = inner.look().await {
                    tracing::warn!(%fault, "SQS queues could not be listed");
                }
            }));
        }
        Ok(self.0.directory.lanes(queue))
    }

    fn lanes_epoch(&self) -> u64 {
        self.0.directory.epoch()
    }

    async fn lanes_changed(&self, known: u64) {
        self.0.directory.changed(known).await;
    }

    fn undecodable(&self) -> u64 {
        Self::undecodable(self)
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        let lanes = std::slice::from_ref(lane);
        let mut depth = Depth::default();
        for place in self.0.directory.of_lanes(&self.0.prefix, lanes) {
            match self.0.depth_of(&place.url).await {
                Ok((visible, hidden)) => {
                    depth.visible += visible;
                    depth.hidden += hidden;
                }
                Err(fault) if is_gone(&fault) => {}
                Err(fault) => return Err(unavailable(&fault)),
            }
        }
        Ok(depth)
    }
}

impl Inner {
    async fn depth_of(&self, url: &str) -> Result<(u64, u64), Fault> {
        let ask = || {
            self.called();
            let request = self.client.get_queue_attributes().queue_url(url);
            request
                .attribute_names(VISIBLE)
                .attribute_names(HIDDEN)
                .send()
        };
        let found = self.pauses.again(SQS_TRIES, ask).await?;
        let number = |name: &QueueAttributeName| {
            let text = found.attributes.as_ref()?.get(name)?;
            text.parse().ok()
        };
        Ok((number(&VISIBLE).unwrap_or(0), number(&HIDDEN).unwrap_or(0)))
    }
}
