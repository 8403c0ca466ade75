//! Announces ready tasks to a queue outside the store, lane by lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use russet_core::{Command, Lane, Sent};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::Node;
use super::relay::Notes;
use crate::{Message, limits};

/// What waits while announcements of its lane are under way.
#[derive(Default)]
struct Lines {
    lanes: BTreeMap<Lane, Vec<Message>>,
    count: usize,
}

impl Lines {
    /// Returns what can be announced now, lane by lane, and has the rest wait. When too many wait
    /// already, it is left to the timers of the tasks.
    fn stand(&mut self, arrived: impl Iterator<Item = Message>) -> Vec<Vec<Message>> {
        let mut free = BTreeMap::<Lane, Vec<Message>>::new();
        for message in arrived {
            match self.lanes.get_mut(&message.lane) {
                None => free.entry(message.lane.clone()).or_default().push(message),
                Some(line) if self.count < limits::PARCELS => {
                    self.count += 1;
                    line.push(message);
                }
                Some(_) => {}
            }
        }
        let lanes = free.keys().map(|lane| (lane.clone(), Vec::new()));
        self.lanes.extend(lanes);
        free.into_values().collect()
    }

    /// What waits for the lane, of which nothing is under way any more.
    fn next(&mut self, lane: &Lane) -> Option<Vec<Message>> {
        let line = self.lanes.get_mut(lane).map(std::mem::take)?;
        if line.is_empty() {
            self.lanes.remove(lane);
            return None;
        }
        self.count -= line.len();
        Some(line)
    }
}

/// Announces what comes, until nobody can send any more. A lane whose queue is slow or missing holds
/// up no other.
pub(super) async fn run(node: Arc<Node>, mut parcels: mpsc::Receiver<Message>, notes: Notes) {
    let mut lines = Lines::default();
    let mut under_way = FuturesUnordered::new();
    let (mut arrived, mut is_open) = (Vec::new(), true);
    while is_open || !under_way.is_empty() {
        let free = tokio::select! {
            biased;
            Some(lane) = under_way.next() => {
                let lane: Option<Lane> = lane;
                lane.and_then(|lane| lines.next(&lane)).into_iter().collect()
            }
            count = parcels.recv_many(&mut arrived, limits::PARCELS_AT_ONCE),
                if is_open && under_way.len() < limits::PARCELS_AT_ONCE =>
            {
                is_open = count > 0;
                lines.stand(arrived.drain(..))
            }
        };
        under_way.extend(free.into_iter().map(|line| announce(&node, line, &notes)));
    }
}

/// Announces tasks of one lane, and returns it.
async fn announce(node: &Node, messages: Vec<Message>, notes: &Notes) -> Option<Lane> {
    let lane = messages.first().map(|message| message.lane.clone());
    let tasks: Vec<_> = messages.iter().map(|message| message.task).collect();
    let span = tracing::debug_span!("announce", tasks = tasks.len());
    if let Err(error) = node.backend.queue.send(messages).instrument(span).await {
        let queue = lane
            .as_ref()
            .map(|lane| tracing::field::display(&lane.queue));
        tracing::warn!(%error, queue, tasks = tasks.len(), "ready tasks were not announced; their timers will");
        return lane;
    }
    for task in tasks {
        notes.leave(task.partition(), Command::Sent(Sent { task }));
    }
    lane
}
