use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russet_core::{Lane, QueueName};
use russet_engine::{Clock, Delivery, Depth, Message, Queue, QueueError, Receipt};

use crate::lanes::Lanes;

/// A queue in memory that is not a store.
pub struct MemoryQueue {
    lanes: Lanes,
    fate: Box<dyn Fn(&Message) -> Fate + Send + Sync>,
}

/// What becomes of a message that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is delivered until it is settled.
    #[default]
    Delivered,
    /// It is delivered twice.
    Duplicated,
    /// It is lost.
    Lost,
}

impl MemoryQueue {
    /// An empty queue. Visibility and waiting go by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_fate(clock, |_| Fate::Delivered)
    }

    /// An empty queue that asks `fate` about each message, to test what a queue may do.
    pub fn with_fate(
        clock: Arc<dyn Clock>,
        fate: impl Fn(&Message) -> Fate + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            lanes: Lanes::new(clock),
            fate: Box::new(fate),
        })
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn is_fused(&self) -> bool {
        false
    }

    async fn send(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let mut kept = Vec::with_capacity(messages.len());
        for message in messages {
            match (self.fate)(&message) {
                Fate::Delivered => kept.push(message),
                Fate::Duplicated => kept.extend([next_to(&message), message]),
                Fate::Lost => {}
            }
        }
        self.lanes.send(kept);
        Ok(())
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        Ok(self.lanes.receive(from, max, visibility, wait).await)
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        self.lanes.delete(&receipts);
        Ok(())
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        self.lanes.release(&receipts, delay);
        Ok(())
    }

    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError> {
        Ok(self.lanes.of_queue(queue))
    }

    fn lanes_epoch(&self) -> u64 {
        self.lanes.epoch()
    }

    async fn lanes_changed(&self, known: u64) {
        self.lanes.changed(known).await;
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        Ok(self.lanes.depth(lane))
    }
}

/// The same message at the next place, where it counts as another one.
fn next_to(message: &Message) -> Message {
    Message {
        score: message.score.saturating_add(1),
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use russet_core::{NewTask, Resources, TaskId};
    use russet_engine::SystemClock;

    use super::*;

    #[tokio::test]
    async fn messages_meet_the_fate_that_they_are_given() {
        let fates = [Fate::Delivered, Fate::Lost, Fate::Duplicated];
        let queue = MemoryQueue::with_fate(Arc::new(SystemClock), move |message| {
            fates[message.score as usize]
        });
        let lane = Lane {
            queue: QueueName::new("emails").expect("a name"),
            resources: Resources::NONE,
        };
        let messages = [0, 1, 2].map(|n| Message {
            lane: lane.clone(),
            priority: NewTask::PRIORITY,
            score: n,
            task: TaskId::from_u128(n as u128),
        });
        queue.send(messages.into()).await.expect("they are sent");
        let (lanes, hidden) = ([lane], Duration::from_secs(60));
        let received = queue.receive(&lanes, 10, hidden, Duration::ZERO).await;
        let received = received.expect("they are received").into_iter();
        let tasks: Vec<_> = received.map(|delivery| delivery.task.as_u128()).collect();
        assert_eq!(tasks, [0, 2, 2]);
    }
}
