use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use russet_core::{Command, LeaseTask, Rejection, Reply, Resources, Task, TaskId, policy};

use super::super::intake::Answer;
use super::super::weight::weight;
use super::{LeaseRequest, Node};
use crate::{Delivery, EngineError, Receipt, limits};

/// Leases what was delivered, as far as the worker can hold it and the rules allow.
pub(super) async fn grant(
    node: &Node,
    request: &LeaseRequest,
    deliveries: Vec<Delivery>,
) -> Result<Vec<Arc<Task>>, EngineError> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let (deliveries, mut done) = known(node, deliveries);
    let (fitting, mut surplus) = split(request.capacity.clone(), deliveries);
    let (fitting, heavy) = weigh(node, fitting).await;
    surplus.extend(heavy);
    let answers = ask(node, request, &fitting).await;
    let (mut granted, mut failed) = (Vec::new(), None);
    let mut released = BTreeMap::from([(Duration::ZERO, surplus)]);
    for (delivery, answer) in fitting.into_iter().zip(answers) {
        let hidden = match answer {
            Ok(Reply::Leased(task)) => {
                granted.push(task);
                None
            }
            Err(EngineError::Rejected(
                Rejection::NotQueued { .. } | Rejection::NotFound { .. },
            )) => None,
            Ok(_) => Some(limits::DELIVERY_DEFERRED),
            Err(error) => {
                let hidden = refused(node, delivery.task, &error);
                failed = failed.or(hidden.is_none().then_some(error));
                Some(hidden.unwrap_or(limits::DELIVERY_DEFERRED))
            }
        };
        match hidden {
            Some(hidden) => released.entry(hidden).or_default().push(delivery.receipt),
            None => done.push(delivery.receipt),
        }
    }
    settle(node, done, released).await;
    match failed {
        Some(error) if granted.is_empty() => Err(error),
        _ => Ok(granted),
    }
}

/// For how long a delivery is hidden whose task cannot start now; `None` for any other error.
fn refused(node: &Node, task: TaskId, error: &EngineError) -> Option<Duration> {
    match error {
        EngineError::Rejected(
            Rejection::Paused { queue } | Rejection::ConcurrencyLimit { queue, .. },
        ) => {
            node.forget_queue(queue);
            // What one partition refuses another may start: then it steps aside for a while.
            let is_only = node.partitions.len() == 1;
            Some(if is_only {
                Duration::ZERO
            } else {
                limits::DELIVERY_DEFERRED
            })
        }
        EngineError::Store(error) if error.concerns_records() => {
            let pause = limits::DELIVERY_UNREADABLE;
            if node.damage.is_news(error, node.clock.now()) {
                tracing::error!(%task, %error, ?pause, "a ready task cannot be leased: it waits \
                    until the cause is gone, and is tried again after each pause");
            }
            Some(pause)
        }
        _ => None,
    }
}

/// Divides deliveries into those of tasks that can be in this store and the rest, which nobody
/// here can ever start.
fn known(node: &Node, deliveries: Vec<Delivery>) -> (Vec<Delivery>, Vec<Receipt>) {
    let is_known = |delivery: &Delivery| node.partition(delivery.task.partition()).is_some();
    if deliveries.iter().all(is_known) {
        return (deliveries, Vec::new());
    }
    let (known, strange): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(is_known);
    for Delivery { task, lane, .. } in &strange {
        let (partition, queue) = (task.partition().0, &lane.queue);
        tracing::error!(%task, partition, %queue, partitions = node.partitions.len(), "a message \
            is about a task of a partition that this store does not have: it is deleted. The queue \
            was used with another store: give each store queues of its own");
    }
    let receipts = strange.into_iter().map(|delivery| delivery.receipt);
    (known, receipts.collect())
}

/// Divides deliveries into those that the worker can hold together and the rest.
fn split(capacity: Option<Resources>, deliveries: Vec<Delivery>) -> (Vec<Delivery>, Vec<Receipt>) {
    let Some(mut free) = capacity else {
        return (deliveries, Vec::new());
    };
    let (mut fitting, mut surplus) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        match policy::take(&delivery.lane.resources, &free) {
            Some(rest) => {
                free = rest;
                fitting.push(delivery);
            }
            None => surplus.push(delivery.receipt),
        }
    }
    (fitting, surplus)
}

/// Divides deliveries into those whose tasks are granted together, in their order and at least
/// one, and those that would make the reply too large.
async fn weigh(node: &Node, mut deliveries: Vec<Delivery>) -> (Vec<Delivery>, Vec<Receipt>) {
    if deliveries.len() <= limits::LEASE_TASKS_UNWEIGHED {
        return (deliveries, Vec::new());
    }
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.task).collect();
    let heavy = deliveries.split_off(light(node, &ids).await).into_iter();
    (deliveries, heavy.map(|delivery| delivery.receipt).collect())
}

/// How many of the tasks one reply can hold. What a task carries does not change while nobody
/// holds it.
async fn light(node: &Node, mut ids: &[TaskId]) -> usize {
    while ids.len() > limits::LEASE_TASKS_UNWEIGHED {
        match node.recall(ids).await {
            Ok(tasks) => {
                let mut bytes = 0;
                let light = ids.iter().take_while(|id| {
                    bytes += tasks.get(id).map_or(0, |task| weight(task));
                    bytes <= limits::LEASE_BYTES
                });
                return light.count().max(1);
            }
            // Among fewer there may be none that cannot be read.
            Err(EngineError::Store(error)) if error.concerns_records() => {
                ids = &ids[..ids.len() / 2];
            }
            Err(_) => break,
        }
    }
    ids.len().min(limits::LEASE_TASKS_UNWEIGHED)
}

/// Asks for a lease of each delivered task; the answers are in the order of the deliveries.
async fn ask(node: &Node, request: &LeaseRequest, deliveries: &[Delivery]) -> Vec<Answer> {
    let commands = deliveries.iter().map(|delivery| {
        let task = delivery.task;
        (task.partition(), command(node, request, task))
    });
    node.call_each(commands.collect()).await
}

fn command(node: &Node, request: &LeaseRequest, task: TaskId) -> Command {
    Command::Lease(LeaseTask {
        task,
        lease: russet_core::LeaseId::from_u128(node.entropy.next_u128()),
        worker: request.worker.clone(),
        duration: request.duration,
    })
}

/// Tells the queue what became of its deliveries: which are done, and which are hidden for how
/// long. Whatever it does not learn it delivers again, and `core` refuses what has started: so what
/// was granted does not wait for a queue that is slow.
async fn settle(node: &Node, done: Vec<Receipt>, released: BTreeMap<Duration, Vec<Receipt>>) {
    let nothing_done = done.is_empty() || node.backend.queue.is_fused();
    if nothing_done && released.values().all(Vec::is_empty) {
        return;
    }
    tokio::select! {
        biased;
        () = tell(node, done, released) => {}
        () = node.clock.sleep(limits::SETTLE_PATIENCE) => {
            tracing::warn!(patience = ?limits::SETTLE_PATIENCE, "the queue is slow to settle \
                deliveries; those that it has not settled come again");
        }
    }
}

async fn tell(node: &Node, done: Vec<Receipt>, released: BTreeMap<Duration, Vec<Receipt>>) {
    let queue = &node.backend.queue;
    let mut results = Vec::new();
    if !done.is_empty() && !queue.is_fused() {
        results.push(queue.delete(done).await);
    }
    for (hidden, receipts) in released {
        if !receipts.is_empty() {
            results.push(queue.release(receipts, hidden).await);
        }
    }
    for error in results.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "deliveries were not settled; they come again");
    }
}
