use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use russet_core::{Lane, Millis, QueueName};
use russet_engine::{Delivery, Depth, Message, Queue, QueueError, Receipt};
use tokio::sync::{mpsc, oneshot};

use super::Redis;
use super::call::{Args, CallError, array, integer};
use super::group::{Deliveries, Group};
use super::groups::Kind;
use super::script;
use super::take;

/// A receiver that waits. What it is given while it goes away goes back.
struct Waiting<'a> {
    answer: oneshot::Receiver<Deliveries>,
    group: Arc<Group>,
    returns: &'a mpsc::UnboundedSender<Vec<Delivery>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(deliveries)) = self.answer.try_recv() {
            // They come again by themselves when nobody is there to give them back.
            let _ = self.returns.send(deliveries);
        }
        self.group.look_again();
    }
}

#[async_trait]
impl Queue for Redis {
    fn is_fused(&self) -> bool {
        true
    }

    /// Does nothing: what a commit makes ready is announced by that commit.
    async fn send(&self, _messages: Vec<Message>) -> Result<(), QueueError> {
        Ok(())
    }

    async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        if from.is_empty() {
            self.core.clock.sleep(wait).await;
            return Ok(Vec::new());
        }
        let mut lanes = from.to_vec();
        lanes.sort_unstable();
        lanes.dedup();
        let group = self.core.groups.get(Kind {
            lanes: lanes.into(),
            visibility,
        });
        let wait = Millis::new(wait.as_nanos().div_ceil(1_000_000).min(u64::MAX.into()) as u64);
        let mut waiting = Waiting {
            answer: group.enter(&self.core, max, wait),
            group,
            returns: &self.returns,
        };
        match (&mut waiting.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(QueueError::Unavailable {
                why: "the backend is being closed".to_owned(),
            }),
        }
    }

    /// Does nothing: a delivery ends with the commit after which its task is no longer ready.
    /// Until then the task stays hidden while its visibility lasts.
    async fn delete(&self, _receipts: Vec<Receipt>) -> Result<(), QueueError> {
        Ok(())
    }

    async fn release(&self, receipts: Vec<Receipt>, delay: Duration) -> Result<(), QueueError> {
        Ok(take::release(&self.core, receipts, delay).await?)
    }

    async fn lanes(&self, queue: &QueueName) -> Result<Vec<Lane>, QueueError> {
        Ok(self.core.lanes.of_queue(queue))
    }

    fn lanes_epoch(&self) -> u64 {
        self.core.lanes.epoch()
    }

    async fn lanes_changed(&self, known: u64) {
        self.core.lanes.changed(known).await;
    }

    async fn depth(&self, lane: &Lane) -> Result<Depth, QueueError> {
        let depths = self.core.partitions.iter().map(async |partition| {
            let keys = partition.keys.lane(lane);
            let link = self.core.link(partition);
            let none = Args::default();
            let answer = link.repeatable(&script::DEPTH, &keys, &none).await?;
            let counts = array(answer)?.into_iter().map(integer);
            counts.collect::<Result<Vec<i64>, CallError>>()
        });
        let mut depth = Depth::default();
        for counts in try_join_all(depths).await? {
            let count = |n: usize| counts.get(n).copied().unwrap_or_default().max(0) as u64;
            depth.visible += count(0);
            depth.hidden += count(1);
        }
        Ok(depth)
    }
}
