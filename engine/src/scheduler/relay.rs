//! What leaves a partition after a commit: messages to other partitions, and announcements
//! of ready tasks to a queue outside the store. All of it is also in a record with a timer,
//! so that whatever is lost here is found again there.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use russet_core::{Acknowledge, Command, Deliver, Lane, Message as Effect, PartitionId, Task};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::{Node, announce, whole};
use crate::{Message, limits};

/// An effect, and the partition that it comes from.
type Parcel = (PartitionId, Effect);

/// Where what became of parcels is left for the partitions that they came from, each with a carrier
/// of its own. What is lost here timers make good.
#[derive(Clone)]
pub(super) struct Notes(Arc<BTreeMap<PartitionId, mpsc::Sender<(PartitionId, Command)>>>);

impl Notes {
    pub(super) fn leave(&self, partition: PartitionId, command: Command) {
        if let Some(carried) = self.0.get(&partition) {
            let _ = carried.try_send((partition, command));
        }
    }
}

/// Where commits leave what is to be carried. A partition that is slow holds up no messages for
/// others, and neither does a queue that is slow or missing.
#[derive(Clone)]
pub(super) struct Outgoing {
    /// To each partition the effects on it, with where they come from.
    effects: Arc<BTreeMap<PartitionId, mpsc::Sender<Parcel>>>,
    /// To the queue.
    announcements: mpsc::Sender<Message>,
}

impl Outgoing {
    pub fn relay(&self, from: PartitionId, effect: Effect) {
        let Some(target) = self.effects.get(&effect.target()) else {
            tracing::error!(?effect, "a message is for a partition that does not exist");
            return;
        };
        // When the carrier is too busy, the outbox record's timer sends it again.
        let _ = target.try_send((from, effect));
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
    let each = (limits::PARCELS / node.partitions.len().max(1)).max(limits::PARCELS_AT_ONCE);
    let (mut carriers, mut notes, mut effects) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for partition in &node.partitions {
        let (note, parcels) = mpsc::channel(each);
        carriers.push(whole::spawn(node, carry(node.clone(), parcels, commit)));
        notes.insert(partition.id, note);
    }
    let notes = Notes(Arc::new(notes));
    for partition in &node.partitions {
        let (carried, parcels) = mpsc::channel(each);
        let notes = notes.clone();
        let delivering = carry(node.clone(), parcels, async move |node: &Node, parcels| {
            deliver(node, parcels, &notes).await;
        });
        carriers.push(whole::spawn(node, delivering));
        effects.insert(partition.id, carried);
    }
    let (announcements, parcels) = mpsc::channel(limits::PARCELS);
    carriers.push(whole::spawn(
        node,
        announce::run(node.clone(), parcels, notes),
    ));
    let outgoing = Outgoing {
        effects: Arc::new(effects),
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
    let mut waiting = Vec::new();
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

/// Delivers effects on one partition, all with one call, and acknowledges those that are applied.
async fn deliver(node: &Node, parcels: Vec<Parcel>, notes: &Notes) {
    let Some(target) = parcels
        .first()
        .and_then(|(_, effect)| node.partition(effect.target()))
    else {
        return;
    };
    // As the epochs are before: a store that has gone back since may not have the effect.
    let acknowledge = |(from, effect): &Parcel| {
        let acknowledge = Acknowledge {
            message: effect.id(),
            epoch: node.backend.store.epoch(*from),
        };
        (*from, Command::Acknowledge(acknowledge))
    };
    let acknowledgements: Vec<_> = parcels.iter().map(acknowledge).collect();
    if russet_core::planted!(ForgottenMessage) {
        commit(node, acknowledgements.clone()).await;
    }
    let command = |(_, message)| Command::Deliver(Deliver { message });
    let answers = target
        .intake
        .call(parcels.into_iter().map(command).collect());
    let applied = match answers.await {
        Ok(answers) => acknowledgements.into_iter().zip(answers),
        Err(error) => {
            tracing::debug!(%error, "messages were not delivered; their timers will");
            return;
        }
    };
    for ((from, acknowledgement), answer) in applied {
        match answer {
            Ok(_) => notes.leave(from, acknowledgement),
            Err(error) => tracing::debug!(%error, "a message was not delivered; its timer will"),
        }
    }
}

/// Commits what has become of parcels; timers make good what is lost.
async fn commit(node: &Node, commands: Vec<(PartitionId, Command)>) {
    let mut by_partition = BTreeMap::<_, Vec<_>>::new();
    for (partition, command) in commands {
        by_partition.entry(partition).or_default().push(command);
    }
    let calls = by_partition.into_iter().map(async |(partition, commands)| {
        if let Some(partition) = node.partition(partition)
            && let Err(error) = partition.intake.call(commands).await
        {
            tracing::debug!(%error, "a follow-up was not committed; its timer will");
        }
    });
    join_all(calls).await;
}
