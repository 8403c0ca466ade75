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
    let (fitting, mut surplus) = split(request.capacity.clone(), deliveries);
    let (fitting, heavy) = weigh(node, fitting).await;
    surplus.extend(heavy);
    let answers = ask(node, request, &fitting).await;
    // What one partition refuses another may start: then it steps aside for a while.
    let is_only = node.partitions.len() == 1;
    let (mut granted, mut done, mut deferred) = (Vec::new(), Vec::new(), Vec::new());
    let mut failed = None;
    for (delivery, answer) in fitting.into_iter().zip(answers) {
        match answer {
            Ok(Reply::Leased(task)) => {
                granted.push(task);
                done.push(delivery.receipt);
            }
            Err(EngineError::Rejected(
                Rejection::NotQueued { .. } | Rejection::NotFound { .. },
            )) => {
                done.push(delivery.receipt);
            }
            Err(EngineError::Rejected(
                Rejection::Paused { queue } | Rejection::ConcurrencyLimit { queue, .. },
            )) => {
                node.forget_queue(&queue);
                let over = if is_only { &mut surplus } else { &mut deferred };
                over.push(delivery.receipt);
            }
            Ok(_) => deferred.push(delivery.receipt),
            Err(error) => {
                deferred.push(delivery.receipt);
                failed = Some(error);
            }
        }
    }
    settle(node, done, deferred, surplus).await;
    match failed {
        Some(error) if granted.is_empty() => Err(error),
        _ => Ok(granted),
    }
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
/// one, and those that would make the reply too large. What a task carries does not change
/// while nobody holds it.
async fn weigh(node: &Node, mut deliveries: Vec<Delivery>) -> (Vec<Delivery>, Vec<Receipt>) {
    if deliveries.len() <= limits::LEASE_TASKS_UNWEIGHED {
        return (deliveries, Vec::new());
    }
    let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.task).collect();
    let together = match node.recall(&ids).await {
        Ok(tasks) => {
            let mut bytes = 0;
            let light = ids.iter().take_while(|id| {
                bytes += tasks.get(id).map_or(0, |task| weight(task));
                bytes <= limits::LEASE_BYTES
            });
            light.count().max(1)
        }
        Err(_) => limits::LEASE_TASKS_UNWEIGHED,
    };
    let heavy = deliveries.split_off(together).into_iter();
    (deliveries, heavy.map(|delivery| delivery.receipt).collect())
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

/// Tells the queue what became of its deliveries. Whatever it does not learn it delivers
/// again, and `core` refuses what has started.
async fn settle(node: &Node, done: Vec<Receipt>, deferred: Vec<Receipt>, surplus: Vec<Receipt>) {
    let queue = &node.backend.queue;
    let mut results = Vec::new();
    if !done.is_empty() && !queue.is_fused() {
        results.push(queue.delete(done).await);
    }
    if !deferred.is_empty() {
        results.push(queue.release(deferred, limits::DELIVERY_DEFERRED).await);
    }
    if !surplus.is_empty() {
        results.push(queue.release(surplus, Duration::ZERO).await);
    }
    for error in results.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "deliveries were not settled; they come again");
    }
}
