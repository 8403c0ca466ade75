use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use russet_core::{Lane, Timestamp, policy};

use super::{LeaseRequest, Node};
use crate::{Delivery, EngineError, limits};

/// Looks once for ready tasks, and waits a while for them; `None` when that is `enough`.
pub(super) async fn poll(
    node: &Node,
    request: &LeaseRequest,
    until: Timestamp,
    enough: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<Vec<Delivery>>, EngineError> {
    let queue = &node.backend.queue;
    let (epoch, mut room) = (queue.lanes_epoch(), node.room.subscribe());
    // From here on a stop is heard, also while the queues are looked at.
    let mut stopped = std::pin::pin!(node.stopped.notified());
    stopped.as_mut().enable();
    if node.is_stopping() {
        return Ok(Some(Vec::new()));
    }
    let open = open(node, request).await?;
    let wait = Duration::from(until.since(node.clock.now())).min(open.refresh);
    let receive = async {
        if open.lanes.is_empty() {
            node.clock.sleep(wait).await;
            return Ok(Vec::new());
        }
        let hidden = limits::DELIVERY_HIDDEN;
        queue.receive(&open.lanes, open.most, hidden, wait).await
    };
    tokio::select! {
        biased;
        deliveries = receive => Ok(Some(deliveries?)),
        () = queue.lanes_changed(epoch) => Ok(Some(Vec::new())),
        // The node holds the sender: waiting cannot fail.
        _ = room.changed(), if open.is_full => Ok(Some(Vec::new())),
        () = stopped => Ok(Some(Vec::new())),
        () = enough => Ok(None),
    }
}

/// Where a worker can be given tasks now.
struct Open {
    /// Lanes that it can hold a task of, of queues that may start one.
    lanes: Vec<Lane>,
    /// Most tasks to take.
    most: usize,
    /// A queue was left out: it is paused, or its concurrency limit is reached.
    is_full: bool,
    /// How soon to look again.
    refresh: Duration,
}

/// Where the worker can be given tasks. A queue whose settings cannot be read is left out, unless
/// all of them are.
async fn open(node: &Node, request: &LeaseRequest) -> Result<Open, EngineError> {
    let mut lanes = Vec::new();
    let (mut free, mut is_full) = (Some(0u64), false);
    let (mut unreadable, mut is_any_known) = (None, false);
    // Together: a partition that does not answer is waited for once.
    let asked = request.queues.iter().map(|queue| node.free_slots(queue));
    let asked = join_all(asked).await;
    for (queue, slots) in request.queues.iter().zip(asked) {
        let slots = match slots {
            Err(EngineError::Store(error)) if error.concerns_records() => {
                unreadable = Some(error);
                continue;
            }
            slots => slots?,
        };
        is_any_known = true;
        if slots == Some(0) {
            is_full = true;
            continue;
        }
        free = free.zip(slots).map(|(sum, slots)| sum + slots);
        let known = node.backend.queue.lanes(queue).await?;
        let capacity = request.capacity.as_ref();
        lanes.extend(
            known
                .into_iter()
                .filter(|lane| policy::fits(&lane.resources, capacity)),
        );
    }
    if let Some(error) = unreadable.filter(|_| !is_any_known) {
        return Err(error.into());
    }
    let most = free.and_then(|free| usize::try_from(free).ok());
    Ok(Open {
        lanes,
        most: most.map_or(request.max, |free| request.max.min(free)),
        is_full,
        refresh: match is_full {
            true => limits::SLOTS_REFRESH,
            false => limits::LANES_REFRESH,
        },
    })
}
