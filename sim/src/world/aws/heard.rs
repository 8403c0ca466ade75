//! A node's queue: what its adapter says is done, the queue itself is asked at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russet_core::{Lane, QueueName, TaskId};
use russet_engine::{Delivery, Depth, Message, Queue, QueueError, Receipt};
use russet_models::sqs::Received;

use super::services::Services;
use crate::history::{Actor, Assured};

/// A queue, and what it says to its node.
pub(super) struct Heard {
    queue: Arc<dyn Queue>,
    services: Services,
    node: Actor,
}

impl Heard {
    pub fn new(queue: Arc<dyn Queue>, services: Services, node: Actor) -> Arc<Self> {
        Arc::new(Self {
            queue,
            services,
            node,
        })
    }

    fn tell(&self, assured: Assured) {
        let ledger = self.services.account().ledger();
        ledger.assured(self.node, assured);
    }

    /// The deliveries that are the newest of their messages, which are there.
    fn known(&self, receipts: &[Receipt]) -> Vec<(TaskId, Received)> {
        let known = receipts
            .iter()
            .filter_map(|receipt| self.services.received(receipt));
        known.filter(|(_, known)| known.is_latest).collect()
    }
}

#[async_trait]
impl Queue for Heard {
    fn is_fused(&self) -> bool {
        self.queue.is_fused()
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let tasks: Vec<_> = messages.iter().map(|message| message.task).collect();
        let before = self.services.taken(&tasks);
        self.queue.send(messages).await?;
        let taken = self.services.taken(&tasks).into_iter().zip(before);
        let taken = taken.map(|(after, before)| after - before);
        self.tell(Assured::Sent(tasks.into_iter().zip(taken).collect()));
        Ok(())
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let deliveries = self.queue.receive(from, max, visibility, wait).await?;
        let receipts: Vec<_> = deliveries.iter().map(|d| d.receipt.clone()).collect();
        let known = self.known(&receipts).into_iter();
        let hidden = known.map(|(task, known)| (task, known.visible_ms - known.received_ms));
        if !deliveries.is_empty() {
            self.tell(Assured::Received {
                visibility_ms: visibility.as_millis() as u64,
                hidden_ms: hidden.collect(),
            });
        }
        Ok(deliveries)
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.services.settle(&receipts);
        self.queue.delete(receipts.clone()).await?;
        let left = self.known(&receipts).into_iter().map(|(task, _)| task);
        self.tell(Assured::Deleted {
            count: receipts.len(),
            left: left.collect(),
        });
        Ok(())
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        self.queue.release(receipts.clone(), delay).await?;
        let now = super::services::time_ms();
        let known = self.known(&receipts).into_iter();
        let hidden = known.map(|(task, known)| (task, known.visible_ms.saturating_sub(now)));
        self.tell(Assured::Released {
            delay_ms: delay.as_millis() as u64,
            hidden_ms: hidden.collect(),
        });
        Ok(())
    }

    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError> {
        self.queue.lanes(queue).await
    }

    fn lanes_epoch(&self) -> u64 {
        self.queue.lanes_epoch()
    }

    async fn lanes_changed(&self, known: u64) {
        self.queue.lanes_changed(known).await;
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        self.queue.depth(lane).await
    }
}
