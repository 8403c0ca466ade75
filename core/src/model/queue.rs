use serde::{Deserialize, Serialize};

use crate::{Millis, QueueName, Timestamp};

/// How a queue treats its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueConfig {
    /// A paused queue accepts tasks and starts none.
    pub paused: bool,
    /// Most tasks that run at once, in each partition. It counts the leases that were granted
    /// under a limit; those of a time without one run on beside it.
    pub concurrency: Option<u32>,
    /// How long a task waits to catch up with one that is one priority more urgent. Zero: they
    /// go by the time at which they became ready alone.
    pub aging: Millis,
    /// How long succeeded and cancelled tasks are kept, unless a dependency ended them.
    pub keep_finished: Millis,
    /// How long dead tasks are kept, and those that a dependency ended.
    pub keep_dead: Millis,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            paused: false,
            concurrency: None,
            aging: Millis::from_secs(60),
            keep_finished: Millis::from_days(1),
            keep_dead: Millis::from_days(30),
        }
    }
}

/// A change of a queue's configuration; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePatch {
    /// See [`QueueConfig::paused`].
    pub paused: Option<bool>,
    /// See [`QueueConfig::concurrency`]; `Some(None)` lifts the limit.
    pub concurrency: Option<Option<u32>>,
    /// See [`QueueConfig::aging`].
    pub aging: Option<Millis>,
    /// See [`QueueConfig::keep_finished`].
    pub keep_finished: Option<Millis>,
    /// See [`QueueConfig::keep_dead`].
    pub keep_dead: Option<Millis>,
}

/// A queue in one partition. A queue without a record has the default configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// The queue.
    pub name: QueueName,
    /// Its configuration.
    pub config: QueueConfig,
    /// How many leases hold a slot of the concurrency limit.
    pub running: u32,
    /// When the configuration was changed last.
    pub updated_at: Timestamp,
}

impl QueueConfig {
    /// How many tasks may run at once; `None`: any number.
    pub fn slots(&self) -> Option<u32> {
        if self.paused {
            return Some(0);
        }
        self.concurrency
    }
}

impl QueueRecord {
    /// How many more tasks may start now; `None`: any number.
    pub fn free_slots(&self) -> Option<u32> {
        Some(self.config.slots()?.saturating_sub(self.running))
    }
}
