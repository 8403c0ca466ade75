//! Granting ready tasks: the queue proposes, `core` decides.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russet_core::{
    Command, Lane, LeaseTask, Millis, QueueName, Rejection, Reply, Resources, Task, TaskId,
    Timestamp, WorkerId, policy,
};

use super::intake::Answer;
use super::{Node, Scheduler};
use crate::{Delivery, EngineError, Receipt, limits};

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The queues that it serves.
    pub queues: Vec<QueueName>,
    /// Who asks.
    pub worker: WorkerId,
    /// What it has free; `None`: it does not count resources and takes every task.
    pub capacity: Option<Resources>,
    /// Most tasks to grant, 1 to [`limits::LEASE_TASKS`].
    pub max: usize,
    /// How long the leases last; `None`: as each task says.
    pub duration: Option<Millis>,
    /// How long to wait for the first task, at most [`limits::LEASE_WAIT`].
    pub wait: Duration,
}

impl Scheduler {
    /// Leases ready tasks. Waits for the first one and takes what else is ready by then, as far
    /// as [`limits::LEASE_BYTES`] reaches; empty when there was none in time.
    ///
    /// # Errors
    /// What the rules refuse about the request itself, an overloaded or stopping node, or a
    /// store or queue that is unavailable. No task is leased then, or its lease runs out.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Vec<Arc<Task>>, EngineError> {
        let node = self.node.as_ref();
        check(&request)?;
        let start = node.clock.now();
        node.seen.saw(&request, start);
        let wait = Millis::new(request.wait.min(limits::LEASE_WAIT).as_millis() as u64);
        let until = start + wait;
        loop {
            let granted = poll(node, &request, until).await?;
            if !granted.is_empty() || node.clock.now() >= until || node.is_stopping() {
                return Ok(granted);
            }
        }
    }
}

fn check(request: &LeaseRequest) -> Result<(), Rejection> {
    LeaseTask::check(&request.worker, request.duration)?;
    if request.queues.len() > limits::LEASE_QUEUES {
        let problem = format!("has {} items", request.queues.len());
        let limit = format!("1 to {} queue names", limits::LEASE_QUEUES);
        return Err(Rejection::invalid("queues", problem, limit));
    }
    if let Some(capacity) = &request.capacity
        && capacity.len() > limits::LEASE_RESOURCES
    {
        let problem = format!("names {} resources", capacity.len());
        let limit = format!("at most {}", limits::LEASE_RESOURCES);
        return Err(Rejection::invalid("capacity", problem, limit));
    }
    if request.queues.is_empty() {
        let limit = "1 or more queue names";
        return Err(Rejection::invalid("queues", "is empty", limit));
    }
    if !(1..=limits::LEASE_TASKS).contains(&request.max) {
        let problem = format!("{} is out of range", request.max);
        let limit = format!("1 to {}", limits::LEASE_TASKS);
        return Err(Rejection::invalid("max", problem, limit));
    }
    Ok(())
}

/// Looks once for ready tasks, and waits a while for them.
async fn poll(
    node: &Node,
    request: &LeaseRequest,
    until: Timestamp,
) -> Result<Vec<Arc<Task>>, EngineError> {
    let queue = &node.backend.queue;
    let (epoch, mut room) = (queue.lanes_epoch(), node.room.subscribe());
    let open = open(node, request).await?;
    let wait = Duration::from(until.since(node.clock.now())).min(open.refresh);
    let stopped = node.stopped.notified();
    let receive = async {
        if open.lanes.is_empty() {
            node.clock.sleep(wait).await;
            return Ok(Vec::new());
        }
        let hidden = limits::DELIVERY_HIDDEN;
        queue.receive(&open.lanes, open.most, hidden, wait).await
    };
    let deliveries = tokio::select! {
        biased;
        deliveries = receive => deliveries?,
        () = queue.lanes_changed(epoch) => return Ok(Vec::new()),
        // The node holds the sender: waiting cannot fail.
        _ = room.changed(), if open.is_full => return Ok(Vec::new()),
        () = stopped => return Ok(Vec::new()),
    };
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    grant(node, request, deliveries).await
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

async fn open(node: &Node, request: &LeaseRequest) -> Result<Open, EngineError> {
    let mut lanes = Vec::new();
    let (mut free, mut is_full) = (Some(0u64), false);
    for queue in &request.queues {
        let slots = node.free_slots(queue).await?;
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

async fn grant(
    node: &Node,
    request: &LeaseRequest,
    deliveries: Vec<Delivery>,
) -> Result<Vec<Arc<Task>>, EngineError> {
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
                Rejection::Paused { .. } | Rejection::ConcurrencyLimit { .. },
            )) if is_only => surplus.push(delivery.receipt),
            Err(EngineError::Rejected(
                Rejection::Paused { .. } | Rejection::ConcurrencyLimit { .. },
            ))
            | Ok(_) => deferred.push(delivery.receipt),
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
    let together = match node.tasks(&ids).await {
        Ok(tasks) => {
            let mut bytes = 0;
            let light = tasks.iter().take_while(|task| {
                bytes += task.as_ref().map_or(0, |task| weight(task));
                bytes <= limits::LEASE_BYTES
            });
            light.count().max(1)
        }
        Err(_) => limits::LEASE_TASKS_UNWEIGHED,
    };
    let heavy = deliveries.split_off(together).into_iter();
    (deliveries, heavy.map(|delivery| delivery.receipt).collect())
}

/// About how many bytes a task adds to a reply.
fn weight(task: &Task) -> usize {
    let progress = task.progress.as_ref();
    let checkpoint = progress.and_then(|progress| progress.checkpoint.as_ref());
    let dependencies = task.dependencies.total as usize * limits::DEPENDENCY_BYTES;
    task.payload.len() + task.metadata.len() + checkpoint.map_or(0, Bytes::len) + dependencies
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
