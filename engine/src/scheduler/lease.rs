//! Granting ready tasks: the queue proposes, `core` decides.

mod grant;
mod poll;

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use russet_core::{LeaseTask, Millis, QueueName, Rejection, Resources, Task, WorkerId};

use self::grant::grant;
use self::poll::poll;
use super::{Node, Scheduler};
use crate::{EngineError, limits};

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
        self.lease_until(request, pending()).await
    }

    /// As [`Self::lease`], but waits no longer than until `enough`. Tasks whose leases are
    /// being written then are still returned: none is leased to nobody.
    ///
    /// # Errors
    /// As [`Self::lease`].
    pub async fn lease_until(
        &self,
        request: LeaseRequest,
        enough: impl Future<Output = ()>,
    ) -> Result<Vec<Arc<Task>>, EngineError> {
        let node = self.node.as_ref();
        check(&request)?;
        let start = node.clock.now();
        node.seen.saw(&request, start);
        let wait = Millis::new(request.wait.min(limits::LEASE_WAIT).as_millis() as u64);
        let mut until = start + wait;
        let mut enough = pin!(enough);
        let mut looks = 0;
        loop {
            until = until.min(node.clock.now() + wait);
            let Some(deliveries) = poll(node, &request, until, enough.as_mut()).await? else {
                return Ok(Vec::new());
            };
            // Of what was taken none may start, in a partition whose limit is reached: others may
            // have some that can.
            looks += u32::from(!deliveries.is_empty());
            let is_over = deliveries.is_empty() || looks >= limits::LEASE_LOOKS;
            let granted = grant(node, &request, deliveries).await?;
            let is_late = node.clock.now() >= until && is_over;
            if !granted.is_empty() || is_late || node.is_stopping() {
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
