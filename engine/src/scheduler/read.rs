//! Questions about what is stored.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use russet_core::{
    Dependency, Lane, PartitionId, QueueConfig, QueueName, Record, RecordKey, Status, Task, TaskId,
    Workflow, WorkflowId, policy,
};

use super::{Node, Scheduler};
use crate::{EngineError, QueueStats, Stats, limits};

/// How often a node looks at a task that others may be changing, and how soon at first where
/// others are likely to.
const WAIT_POLL: Duration = Duration::from_secs(1);
const WAIT_FIRST_POLL: Duration = Duration::from_millis(20);

/// A queue: its configuration, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// The queue.
    pub queue: QueueName,
    /// Its configuration; that of a queue that was never configured where it cannot be read.
    pub config: QueueConfig,
    /// Why its configuration cannot be read, and what to do.
    pub unreadable: Option<String>,
    /// How many tasks are in which state.
    pub stats: QueueStats,
    /// Some of its lanes, at most [`limits::VIEW_LANES`].
    pub lanes: Vec<Lane>,
    /// How many more lanes there are.
    pub more_lanes: usize,
    /// How many workers it wants; see [`policy::desired_workers`]. `None` while it is not known
    /// how many tasks one of them runs.
    pub desired_workers: Option<u32>,
}

impl Scheduler {
    /// A task; `None` when there is none of that id.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn get(&self, id: TaskId) -> Result<Option<Arc<Task>>, EngineError> {
        Ok(self.get_each(&[id]).await?.pop().flatten())
    }

    /// Tasks, in the order of `ids`. Those of a workflow that is not complete are not there yet.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn get_each(&self, ids: &[TaskId]) -> Result<Vec<Option<Arc<Task>>>, EngineError> {
        let mut tasks = self.node.tasks(ids).await?;
        let waits_in = |task: &Task| task.workflow.filter(|_| task.status == Status::Blocked);
        let found = tasks.iter().flatten();
        let workflows: BTreeSet<_> = found.filter_map(|task| waits_in(task)).collect();
        if !workflows.is_empty() {
            let accepted = self.node.accepted(&workflows).await?;
            let is_there = |task: &mut Arc<Task>| {
                waits_in(task).is_none_or(|workflow| accepted.contains(&workflow))
            };
            for slot in &mut tasks {
                slot.take_if(|task| !is_there(task));
            }
        }
        Ok(tasks)
    }

    /// What a task waits for, all of it: long lists are not in the task itself.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn dependencies(&self, task: &Task) -> Result<Vec<Dependency>, EngineError> {
        if task.dependencies.are_inline() {
            return Ok(task.dependencies.inline.to_vec());
        }
        let keys: Vec<_> = (0..task.dependencies.chunks())
            .map(|n| RecordKey::Dependencies(task.id, n))
            .collect();
        let records = self.node.load(task.id.partition(), &keys).await?;
        let edges = records.into_iter().filter_map(|record| match record {
            Some(Record::Dependencies(edges)) => Some(edges.to_vec()),
            _ => None,
        });
        Ok(edges.flatten().collect())
    }

    /// A workflow; `None` when there is none of that id, or not all of it is there yet.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn workflow(&self, id: WorkflowId) -> Result<Option<Workflow>, EngineError> {
        let records = self
            .node
            .load(id.partition(), &[RecordKey::Workflow(id)])
            .await?;
        Ok(records
            .into_iter()
            .flatten()
            .find_map(|record| match record {
                Record::Workflow(workflow) if workflow.is_accepted() => {
                    Some(Workflow::clone(&workflow))
                }
                _ => None,
            }))
    }

    /// All queues that have tasks or were configured with some, each as the first partition has
    /// its configuration.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn queues(&self) -> Result<Vec<QueueView>, EngineError> {
        let Stats { queues } = self.node.backend.store.stats().await?;
        let mut views = Vec::with_capacity(queues.len());
        for stats in queues {
            let config = self.node.queue_config(&stats.queue, PartitionId(0)).await;
            views.push(self.view(stats, config).await?);
        }
        Ok(views)
    }

    /// A queue, also one that never held a task.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn queue(&self, queue: &QueueName) -> Result<QueueView, EngineError> {
        let Stats { queues } = self.node.backend.store.stats().await?;
        let known = queues.into_iter().find(|stats| stats.queue == *queue);
        let stats = known.unwrap_or_else(|| QueueStats {
            queue: queue.clone(),
            by_status: [0; Status::ALL.len()],
            oldest_ready_at: None,
        });
        let partitions = self.node.partitions.iter();
        let configs = partitions.map(|partition| self.node.queue_config(queue, partition.id));
        // One that cannot be read is what there is to say, wherever it is.
        let configs = try_join_all(configs).await;
        let first = configs.map(|configs| configs.into_iter().next().unwrap_or_default());
        self.view(stats, first).await
    }

    async fn view(
        &self,
        stats: QueueStats,
        config: Result<QueueConfig, EngineError>,
    ) -> Result<QueueView, EngineError> {
        let queue = stats.queue.clone();
        let (config, unreadable) = match config {
            Err(EngineError::Store(error)) if error.concerns_records() => {
                let defaults = self.node.configuration.queue_defaults.clone();
                (defaults, Some(error.to_string()))
            }
            config => (config?, None),
        };
        let mut lanes = self.node.backend.queue.lanes(&queue).await?;
        let more_lanes = lanes.len().saturating_sub(limits::VIEW_LANES);
        lanes.truncate(limits::VIEW_LANES);
        Ok(QueueView {
            desired_workers: match unreadable {
                None => self.desired_workers(&stats, &config),
                Some(_) => None,
            },
            queue,
            config,
            unreadable,
            stats,
            lanes,
            more_lanes,
        })
    }

    fn desired_workers(&self, stats: &QueueStats, config: &QueueConfig) -> Option<u32> {
        let now = self.node.clock.now();
        let per_worker = self.node.seen.per_worker(&stats.queue, now)?;
        let partitions = u64::from(self.node.backend.store.partitions());
        let load = policy::Load {
            queued: stats.count(Status::Queued),
            running: stats.count(Status::Running),
            most: config.slots().map(|most| u64::from(most) * partitions),
            oldest_wait: stats
                .oldest_ready_at
                .map(|at| now.since(at))
                .unwrap_or_default(),
        };
        let (target, most) = (limits::TARGET_WAIT, u32::MAX);
        Some(policy::desired_workers(load, per_worker, target, 0, most))
    }

    /// How many tasks of a queue run in a partition, as its concurrency limit counts them, and
    /// that limit; `None` without a limit.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn concurrency(
        &self,
        queue: &QueueName,
        partition: PartitionId,
    ) -> Result<Option<(u32, u32)>, EngineError> {
        let keys = [RecordKey::Queue(queue.clone())];
        let found = self.node.load(partition, &keys).await?;
        Ok(match found.into_iter().next().flatten() {
            Some(Record::Queue(known)) => {
                known.config.concurrency.map(|most| (known.running, most))
            }
            _ => self
                .node
                .configuration
                .queue_defaults
                .concurrency
                .map(|most| (0, most)),
        })
    }

    /// Waits until a task has ended, at most `wait`; returns it as it is then. `None` when
    /// there is no such task.
    ///
    /// # Errors
    /// A store that is unavailable.
    pub async fn wait(&self, id: TaskId, wait: Duration) -> Result<Option<Arc<Task>>, EngineError> {
        let wait = russet_core::Millis::new(wait.as_millis() as u64);
        let mut until = self.node.clock.now() + wait;
        let mut events = self.events();
        // What another node does is no event of this one.
        let mut poll = match self.node.backend.store.limits().is_far {
            true => WAIT_FIRST_POLL,
            false => WAIT_POLL,
        };
        loop {
            let task = self.get(id).await?;
            let now = self.node.clock.now();
            until = until.min(now + wait);
            let ended = task.as_ref().is_none_or(|task| task.status.is_terminal());
            if ended || now >= until {
                return Ok(task);
            }
            let pause = Duration::from(until.since(now)).min(poll);
            poll = (poll + poll / 2).min(WAIT_POLL);
            let changed = async {
                while let Some(Ok(happened)) = events.next().await {
                    if happened.events.iter().any(|event| event.task == id) {
                        return;
                    }
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = self.node.clock.sleep(pause) => {}
            }
        }
    }

    /// Whether the node is whole and the store answers; and why it takes nothing new, when that is
    /// so. What is there is worked on then.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ready(&self) -> Result<Option<String>, EngineError> {
        if self.node.is_stopping() {
            return Err(EngineError::Stopping);
        }
        if self.is_broken() {
            return Err(EngineError::Broken);
        }
        self.node.load(PartitionId(0), &[RecordKey::Leader]).await?;
        Ok(self.node.backend.store.fullness().await?)
    }
}

impl Node {
    pub(super) async fn load(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Record>>, EngineError> {
        if self.partition(partition).is_none() {
            return Ok(vec![None; keys.len()]);
        }
        let records = self.backend.store.get(partition, keys).await?;
        Ok(records
            .into_iter()
            .map(|found| found.map(|versioned| versioned.record))
            .collect())
    }

    /// Tasks, in the order of `ids`.
    pub(super) async fn tasks(
        &self,
        ids: &[TaskId],
    ) -> Result<Vec<Option<Arc<Task>>>, EngineError> {
        let mut found = vec![None; ids.len()];
        for partition in &self.partitions {
            let own = ids
                .iter()
                .enumerate()
                .filter(|(_, id)| id.partition() == partition.id);
            let (positions, keys): (Vec<_>, Vec<_>) =
                own.map(|(at, id)| (at, RecordKey::Task(*id))).unzip();
            if keys.is_empty() {
                continue;
            }
            let records = self.load(partition.id, &keys).await?;
            for (at, record) in positions.into_iter().zip(records) {
                if let Some(Record::Task(task)) = record {
                    found[at] = Some(task);
                }
            }
        }
        Ok(found)
    }

    /// Those of `workflows` that are there, and complete.
    async fn accepted(
        &self,
        workflows: &BTreeSet<WorkflowId>,
    ) -> Result<BTreeSet<WorkflowId>, EngineError> {
        let mut accepted = BTreeSet::new();
        for partition in &self.partitions {
            let own = workflows.iter().filter(|id| id.partition() == partition.id);
            let keys: Vec<_> = own.copied().map(RecordKey::Workflow).collect();
            if keys.is_empty() {
                continue;
            }
            let records = self.load(partition.id, &keys).await?.into_iter().flatten();
            accepted.extend(records.filter_map(|record| match record {
                Record::Workflow(known) if known.is_accepted() => Some(known.id),
                _ => None,
            }));
        }
        Ok(accepted)
    }

    /// A queue's configuration, as the partition has it.
    async fn queue_config(
        &self,
        queue: &QueueName,
        partition: PartitionId,
    ) -> Result<QueueConfig, EngineError> {
        let keys = [RecordKey::Queue(queue.clone())];
        let found = self.load(partition, &keys).await?;
        Ok(match found.into_iter().next().flatten() {
            Some(Record::Queue(queue)) => queue.config.clone(),
            _ => self.configuration.queue_defaults.clone(),
        })
    }
}
