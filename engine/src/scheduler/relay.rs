//! What leaves a partition after a commit: messages to other partitions, and announcements
//! of ready tasks to a queue outside the store. All of it is also in a record with a timer,
//! so that whatever is lost here is found again there.

use std::sync::Arc;

use russet_core::{
    Acknowledge, Command, Deliver, Lane, Message as Effect, PartitionId, Sent, Task,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::Node;
use crate::{Message, limits};

/// What is to be carried.
enum Parcel {
    /// From a partition to the one that the effect is on.
    Relay(PartitionId, Effect),
    /// To the queue.
    Announce(Message),
}

/// Where commits leave what is to be carried.
#[derive(Clone)]
pub(super) struct Outgoing(mpsc::Sender<Parcel>);

impl Outgoing {
    pub fn relay(&self, from: PartitionId, effect: Effect) {
        // When the carrier is too busy, the outbox record's timer sends it again.
        let _ = self.0.try_send(Parcel::Relay(from, effect));
    }

    pub fn announce(&self, task: &Task) {
        let lane = Lane {
            queue: task.queue.clone(),
            resources: task.resources.clone(),
        };
        // When the carrier is too busy, the task's watchdog sends it again.
        let _ = self.0.try_send(Parcel::Announce(Message {
            lane,
            priority: task.priority,
            score: task.score,
            task: task.id,
        }));
    }
}

/// Starts the carrier.
pub(super) fn start(node: &Arc<Node>) -> (Outgoing, JoinHandle<()>) {
    let (sender, parcels) = mpsc::channel(limits::PARCELS);
    let outgoing = Outgoing(sender);
    (outgoing, tokio::spawn(run(node.clone(), parcels)))
}

async fn run(node: Arc<Node>, mut parcels: mpsc::Receiver<Parcel>) {
    let mut waiting = Vec::with_capacity(limits::PARCELS_AT_ONCE);
    while parcels
        .recv_many(&mut waiting, limits::PARCELS_AT_ONCE)
        .await
        > 0
    {
        let (mut announcements, mut effects) = (Vec::new(), Vec::new());
        for parcel in waiting.drain(..) {
            match parcel {
                Parcel::Relay(from, effect) => effects.push((from, effect)),
                Parcel::Announce(message) => announcements.push(message),
            }
        }
        let span = tracing::debug_span!(
            "relay",
            announcements = announcements.len(),
            messages = effects.len()
        );
        let carried = async {
            futures::join!(announce(&node, announcements), deliver(&node, effects));
            tracing::debug!("carried");
        };
        carried.instrument(span).await;
    }
}

async fn announce(node: &Node, messages: Vec<Message>) {
    if messages.is_empty() {
        return;
    }
    let tasks: Vec<_> = messages.iter().map(|message| message.task).collect();
    if let Err(error) = node.backend.queue.send(messages).await {
        tracing::warn!(%error, tasks = tasks.len(), "ready tasks were not announced; their timers will");
        return;
    }
    let commands = tasks
        .into_iter()
        .map(|task| (task.partition(), Command::Sent(Sent { task })));
    send(node, commands).await;
}

async fn deliver(node: &Node, effects: Vec<(PartitionId, Effect)>) {
    for (from, effect) in effects {
        let Some(target) = node.partition(effect.target()) else {
            tracing::error!(?effect, "a message is for a partition that does not exist");
            continue;
        };
        let command = Command::Deliver(Deliver { message: effect });
        let acknowledge = Acknowledge {
            message: effect.id(),
            epoch: node.backend.store.epoch(from),
        };
        let acknowledge = [(from, Command::Acknowledge(acknowledge))];
        if russet_core::planted!(ForgottenMessage) {
            send(node, acknowledge.clone().into_iter()).await;
        }
        match target.intake.call_one(command).await {
            Ok(_) => send(node, acknowledge.into_iter()).await,
            Err(error) => tracing::debug!(%error, "a message was not delivered; its timer will"),
        }
    }
}

/// Sends commands whose loss is made good by timers.
async fn send(node: &Node, commands: impl Iterator<Item = (PartitionId, Command)>) {
    let mut by_partition = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (partition, command) in commands {
        by_partition.entry(partition).or_default().push(command);
    }
    for (partition, commands) in by_partition {
        if let Some(partition) = node.partition(partition)
            && let Err(error) = partition.intake.call(commands).await
        {
            tracing::debug!(%error, "a follow-up was not committed; its timer will");
        }
    }
}
