use std::collections::BTreeMap;

use russet_core::{
    Millis, QueueConfig, QueueName, QueuePatch, Rejection, ResourceName, Status, Timestamp,
};
use russet_engine::QueueStats;
use serde::{Deserialize, Deserializer, Serialize};

use super::new_task::refused;
use super::task::amounts;

/// A queue: how it treats its tasks, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueView {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: QueueName,
    /// How many of its tasks are in which state.
    pub counts: StatusCounts,
    /// How long the task that is ready longest has been ready; absent when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ready_age_ms: Option<u64>,
    /// How it treats its tasks; the defaults where that cannot be read.
    pub config: QueueConfigView,
    /// Why its settings cannot be read, and what to do: the record of a store that is damaged.
    /// Until then none of its tasks starts. In a list of queues only the first partition is
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Its lanes, at most 100 of them: tasks that need the same resources share one.
    pub lanes: Vec<LaneView>,
    /// How many more lanes it has.
    #[serde(default)]
    pub more_lanes: u64,
    /// How many workers its tasks want now: those that are queued, as far as the pause and the
    /// concurrency limit let them start, and those that are running, divided by how many a
    /// worker runs at once. When a task has been ready for more than 10 s, at least twice as
    /// many as the running ones keep busy. What a worker runs at once is the largest `max`
    /// that a live worker of the queue sent in a lease request, a worker being live for 10
    /// minutes after its last request to this server; a worker that serves several queues
    /// counts in each with all that it runs. Absent while no worker of the queue is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_workers: Option<u32>,
}

/// How many tasks are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusCounts {
    /// Waiting for their dependencies.
    pub blocked: u64,
    /// Not yet due, or backing off.
    pub scheduled: u64,
    /// Ready.
    pub queued: u64,
    /// Leased to a worker.
    pub running: u64,
    /// Finished well.
    pub succeeded: u64,
    /// Failed for good.
    pub dead: u64,
    /// Cancelled.
    pub cancelled: u64,
}

/// How a queue treats its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueConfigView {
    /// A paused queue accepts tasks and starts none.
    pub paused: bool,
    /// Most tasks that run at once, in each partition: a store of 4 partitions runs up to 4
    /// times as many. Tasks that were already running when the limit is set, where there was
    /// none, are not counted. `null`: no limit.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub concurrency: Option<u32>,
    /// How long a task waits to catch up with one that is one priority more urgent. 0: priorities
    /// say nothing, and the task that is ready longest is the next.
    pub aging_ms: u64,
    /// How long succeeded tasks are kept, and those that somebody cancelled.
    pub keep_finished_ms: u64,
    /// How long dead tasks are kept, and those that a dependency ended.
    pub keep_dead_ms: u64,
}

/// Tasks of a queue that need the same resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaneView {
    /// What each of them needs.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, u64>))]
    pub resource_requirements: BTreeMap<ResourceName, u64>,
}

/// All queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueuesReply {
    /// The queues, by name.
    pub queues: Vec<QueueView>,
}

/// A change of a queue's configuration; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigureQueue {
    /// See [`QueueConfigView::paused`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Most tasks that run at once, in each partition: a store of 4 partitions runs up to 4
    /// times as many. Tasks that were already running when the limit is set, where there was
    /// none, are not counted. `null` lifts the limit.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "null_is_a_value"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub concurrency: Option<Option<u32>>,
    /// See [`QueueConfigView::aging_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aging_ms: Option<u64>,
    /// See [`QueueConfigView::keep_finished_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_finished_ms: Option<u64>,
    /// See [`QueueConfigView::keep_dead_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_dead_ms: Option<u64>,
}

fn null_is_a_value<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl QueueView {
    /// The queue as everybody sees it at `now`.
    pub fn new(view: russet_engine::QueueView, now: Timestamp) -> Self {
        let oldest = view.stats.oldest_ready_at;
        let lane = |lane: &russet_core::Lane| LaneView {
            resource_requirements: amounts(&lane.resources),
        };
        Self {
            counts: StatusCounts::from(&view.stats),
            oldest_ready_age_ms: oldest.map(|at| now.since(at).as_millis()),
            config: QueueConfigView::from(&view.config),
            unreadable: view.unreadable,
            lanes: view.lanes.iter().map(lane).collect(),
            more_lanes: view.more_lanes as u64,
            desired_workers: view.desired_workers,
            name: view.queue,
        }
    }
}

impl From<&QueueStats> for StatusCounts {
    fn from(stats: &QueueStats) -> Self {
        Self {
            blocked: stats.count(Status::Blocked),
            scheduled: stats.count(Status::Scheduled),
            queued: stats.count(Status::Queued),
            running: stats.count(Status::Running),
            succeeded: stats.count(Status::Succeeded),
            dead: stats.count(Status::Dead),
            cancelled: stats.count(Status::Cancelled),
        }
    }
}

impl From<&QueueConfig> for QueueConfigView {
    fn from(config: &QueueConfig) -> Self {
        Self {
            paused: config.paused,
            concurrency: config.concurrency,
            aging_ms: config.aging.as_millis(),
            keep_finished_ms: config.keep_finished.as_millis(),
            keep_dead_ms: config.keep_dead.as_millis(),
        }
    }
}

impl From<ConfigureQueue> for QueuePatch {
    fn from(change: ConfigureQueue) -> Self {
        Self {
            paused: change.paused,
            concurrency: change.concurrency,
            aging: change.aging_ms.map(Millis::new),
            keep_finished: change.keep_finished_ms.map(Millis::new),
            keep_dead: change.keep_dead_ms.map(Millis::new),
        }
    }
}

/// A queue's name, checked.
///
/// # Errors
/// [`Rejection::Invalid`] of the field `queue`.
pub fn queue_name(text: &str) -> Result<QueueName, Rejection> {
    QueueName::new(text).map_err(|e| refused("queue", e))
}
