//! What leaves a partition after a commit: messages to other partitions, and announcements
//! of ready tasks to a queue outside the store. All of it is also in a record with a timer,
//! so that whatever is lost here is found again there.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use russet_core::{
    Acknowledge, Command, Deliver, Lane, Message as Effect, PartitionId, Sent, Task,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::{Node, whole};
use crate::{Message, limits};

/// Where commits leave what is to be carried. A queue that is slow or missing holds up no message.
#[derive(Clone)]
pub(super) struct Outgoing {
    /// From a partition to the one that the effect is on.
    effects: mpsc::Sender<(PartitionId, Effect)>,
    /// To the queue.
    announcements: mpsc::Sender<Message>,
}

impl Outgoing {
    pub fn relay(&self, from: PartitionId, effect: Effect) {
        // When the carrier is too busy, the outbox record's timer sends it again.
        let _ = self.effects.try_send((from, effect));
    }

    pub fn announce(&self, task: &Task) {
        let lane = Lane {
            queue: task.queue.clone(),
            resources: task.resources.clone(),
        };
        // When the carrier is too busy, the task's watchdog sends it again.
        let _ = self.announcements.try_send(Message {
            lane,
            priority: task.priority,
            score: task.score,
            task: task.id,
        });
    }
}

/// Starts the carriers.
pub(super) fn start(node: &Arc<Node>) -> (Outgoing, Vec<JoinHandle<()>>) {
    let (effects, parcels) = mpsc::channel(limits::PARCELS);
    let delivering = carry(node.clone(), parcels, deliver);
    let (announcements, parcels) = mpsc::channel(limits::PARCELS);
    let announcing = carry(node.clone(), parcels, announce);
    let carriers = vec![
        whole::spawn(node, delivering),
        whole::spawn(node, announcing),
    ];
    let outgoing = Outgoing {
        effects,
        announcements,
    };
    (outgoing, carriers)
}

/// Carries what comes, all that is there at once, until nobody can send any more.
async fn carry<T>(
    node: Arc<Node>,
    mut parcels: mpsc::Receiver<T>,
    carrying: impl AsyncFn(&Node, Vec<T>),
) {
    let mut waiting = Vec::with_capacity(limits::PARCELS_AT_ONCE);
    while parcels
        .recv_many(&mut waiting, limits::PARCELS_AT_ONCE)
        .await
        > 0
    {
        let span = tracing::debug_span!("relay", parcels = waiting.len());
        let carried = async {
            carrying(&node, std::mem::take(&mut waiting)).await;
            tracing::debug!("carried");
        };
        carried.instrument(span).await;
    }
}

/// Announces tasks, lane by lane: one whose queue is missing or slow concerns no other.
async fn announce(node: &Node, messages: Vec<Message>) {
    let mut by_lane: BTreeMap<Lane, Vec<Message>> = BTreeMap::new();
    for message in messages {
        by_lane
            .entry(message.lane.clone())
            .or_default()
            .push(message);
    }
    let lanes = by_lane.into_values();
    join_all(lanes.map(|messages| announce_together(node, messages))).await;
}

async fn announce_together(node: &Node, messages: Vec<Message>) {
    let tasks: Vec<_> = messages.iter().map(|message| message.task).collect();
    let queue = messages.first().map(|message| message.lane.queue.clone());
    if let Err(error) = node.backend.queue.send(messages).await {
        let queue = queue.as_ref().map(tracing::field::display);
        tracing::warn!(%error, queue, tasks = tasks.len(), "ready tasks were not announced; their timers will");
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
    let mut by_partition = BTreeMap::<_, Vec<_>>::new();
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
