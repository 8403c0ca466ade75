//! The commands, as callers give them.

use std::collections::BTreeMap;

use futures::future::join_all;
use russet_core::{
    Command, Complete, Configure, Extend, Fail, PartitionId, Purge, QueueConfig, QueueName,
    QueuePatch, Release, Reply, Status, TaskId, Timestamp,
};

use super::intake::Answer;
use super::{Node, Scheduler};
use crate::{EngineError, limits};

/// Where a task is after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNow {
    /// The task.
    pub task: TaskId,
    /// Its state.
    pub status: Status,
    /// Its newest attempt.
    pub attempt: u64,
    /// When it is due, if it is scheduled.
    pub scheduled_at: Option<Timestamp>,
    /// A cancellation waits for the task's holder.
    pub cancel_requested: bool,
    /// Follow-up tasks that were committed with a completion.
    pub follow_ups: Vec<TaskId>,
}

/// What a heartbeat is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    /// When the lease expires now.
    pub expires_at: Timestamp,
    /// The holder is asked to stop.
    pub cancel_requested: bool,
}

impl Scheduler {
    /// A heartbeat: keeps a lease alive and reports progress.
    ///
    /// # Errors
    /// A stale lease above all: the holder must stop working.
    pub async fn extend(&self, extend: Extend) -> Result<Extended, EngineError> {
        extended(
            self.node
                .call_one(extend.task.partition(), Command::Extend(extend))
                .await,
        )
    }

    /// Many heartbeats; one result for each, in order.
    pub async fn extend_each(&self, extends: Vec<Extend>) -> Vec<Result<Extended, EngineError>> {
        let commands = extends
            .into_iter()
            .map(|e| (e.task.partition(), Command::Extend(e)));
        self.node
            .call_each(commands.collect())
            .await
            .into_iter()
            .map(extended)
            .collect()
    }

    /// Finishes a task well.
    ///
    /// # Errors
    /// A stale lease above all: the result is discarded.
    pub async fn complete(&self, complete: Complete) -> Result<TaskNow, EngineError> {
        now(self
            .node
            .call_one(complete.task.partition(), Command::Complete(complete))
            .await)
    }

    /// Finishes many tasks; one result for each, in order.
    pub async fn complete_each(
        &self,
        completes: Vec<Complete>,
    ) -> Vec<Result<TaskNow, EngineError>> {
        let commands = completes
            .into_iter()
            .map(|c| (c.task.partition(), Command::Complete(c)));
        self.node
            .call_each(commands.collect())
            .await
            .into_iter()
            .map(now)
            .collect()
    }

    /// Reports a failed attempt. `fail.random` is drawn here.
    ///
    /// # Errors
    /// A stale lease above all.
    pub async fn fail(&self, mut fail: Fail) -> Result<TaskNow, EngineError> {
        fail.random = self.node.entropy.next_u64();
        now(self
            .node
            .call_one(fail.task.partition(), Command::Fail(fail))
            .await)
    }

    /// Gives a task back, at once or after a snooze.
    ///
    /// # Errors
    /// A stale lease above all.
    pub async fn release(&self, release: Release) -> Result<TaskNow, EngineError> {
        now(self
            .node
            .call_one(release.task.partition(), Command::Release(release))
            .await)
    }

    /// Forgets an ended task before its retention is over.
    ///
    /// # Errors
    /// An unknown task, or one that has not ended.
    pub async fn purge(&self, task: TaskId) -> Result<TaskNow, EngineError> {
        now(self
            .node
            .call_one(task.partition(), Command::Purge(Purge { task }))
            .await)
    }

    /// Changes a queue, in every partition. On a store that is far it takes as long as other
    /// nodes may rely on how the queue was.
    ///
    /// # Errors
    /// A value that cannot be. When the store fails half-way, send the same change again.
    pub async fn configure(
        &self,
        queue: QueueName,
        patch: QueuePatch,
    ) -> Result<QueueConfig, EngineError> {
        let mut config = None;
        for partition in &self.node.partitions {
            let (queue, patch) = (queue.clone(), patch.clone());
            let command = Command::Configure(Configure { queue, patch });
            match self.node.call_one(partition.id, command).await? {
                Reply::Configured(now) => config = Some(now),
                other => return Err(unexpected(&other)),
            }
        }
        self.node.forget_queue(&queue);
        if self.node.backend.store.limits().is_far {
            self.node.clock.sleep(limits::QUEUE_FORGOTTEN).await;
        }
        config.ok_or(EngineError::Stopping)
    }
}

impl Node {
    async fn call(
        &self,
        partition: PartitionId,
        commands: Vec<Command>,
    ) -> Result<Vec<Answer>, EngineError> {
        match self.partition(partition) {
            Some(known) => known.intake.call(commands).await,
            None => Ok(commands
                .iter()
                .map(|_| Err(self.no_partition(partition)))
                .collect()),
        }
    }

    pub(super) async fn call_one(&self, partition: PartitionId, command: Command) -> Answer {
        match self.partition(partition) {
            Some(known) => known.intake.call_one(command).await,
            None => Err(self.no_partition(partition)),
        }
    }

    /// Sends commands to their partitions; the answers are in the order of the commands.
    pub(super) async fn call_each(&self, commands: Vec<(PartitionId, Command)>) -> Vec<Answer> {
        match commands.first() {
            Some(&(first, _)) if commands.iter().all(|(other, _)| *other == first) => {
                let own: Vec<_> = commands.into_iter().map(|(_, command)| command).collect();
                let count = own.len();
                let answers = self.call(first, own).await;
                answers.unwrap_or_else(|error| vec![Err(error); count])
            }
            _ => self.call_several(commands).await,
        }
    }

    async fn call_several(&self, commands: Vec<(PartitionId, Command)>) -> Vec<Answer> {
        let mut answers: Vec<Answer> = Vec::with_capacity(commands.len());
        let mut by_partition: BTreeMap<PartitionId, (Vec<usize>, Vec<Command>)> = BTreeMap::new();
        for (at, (partition, command)) in commands.into_iter().enumerate() {
            let (positions, own) = by_partition.entry(partition).or_default();
            positions.push(at);
            own.push(command);
            answers.push(Err(EngineError::Stopping));
        }
        let calls = by_partition
            .into_iter()
            .map(|(partition, (positions, own))| async move {
                (positions, self.call(partition, own).await)
            });
        for (positions, result) in join_all(calls).await {
            match result {
                Ok(own) => {
                    for (at, answer) in positions.into_iter().zip(own) {
                        answers[at] = answer;
                    }
                }
                Err(error) => {
                    positions
                        .into_iter()
                        .for_each(|at| answers[at] = Err(error.clone()));
                }
            }
        }
        answers
    }

    fn no_partition(&self, partition: PartitionId) -> EngineError {
        russet_core::Rejection::invalid(
            "id",
            format!("names partition {}", partition.0),
            format!("this store has {} partitions", self.partitions.len()),
        )
        .into()
    }
}

fn extended(answer: Answer) -> Result<Extended, EngineError> {
    match answer? {
        Reply::Extended {
            expires_at,
            cancel_requested,
        } => Ok(Extended {
            expires_at,
            cancel_requested,
        }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn now(answer: Answer) -> Result<TaskNow, EngineError> {
    match answer? {
        Reply::Now {
            task,
            status,
            attempt,
            scheduled_at,
            cancel_requested,
            follow_ups,
        } => Ok(TaskNow {
            task,
            status,
            attempt,
            scheduled_at,
            cancel_requested,
            follow_ups,
        }),
        other => Err(unexpected(&other)),
    }
}

/// Each command has one kind of reply.
pub(super) fn unexpected(reply: &Reply) -> EngineError {
    panic!("broken invariant: a command was answered with {reply:?}")
}
