//! Building submissions.

use std::time::Duration;

use russet_core::{IfUnsatisfied, TaskId};
use serde::Serialize;

use crate::wire::{DependsOn, Json, SubmitTask, SubmitWorkflow, Time, WindowView};
use crate::{Error, TaskKind};

impl SubmitTask {
    /// A task of this type, with the defaults of everything else.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// A typed task.
    ///
    /// # Errors
    /// A payload that JSON cannot express.
    pub fn of<T: TaskKind>(payload: &T) -> Result<Self, Error> {
        Self::new(T::TYPE).with_payload(payload)
    }

    /// Under this id, made by the caller: submitting it again changes nothing.
    #[must_use]
    pub fn with_id(mut self, id: TaskId) -> Self {
        self.id = Some(id);
        self
    }

    /// With a name, by which other tasks of its workflow depend on it.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In this queue.
    #[must_use]
    pub fn in_queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// With this payload.
    ///
    /// # Errors
    /// A payload that JSON cannot express.
    pub fn with_payload<T: Serialize + ?Sized>(mut self, payload: &T) -> Result<Self, Error> {
        let payload = Json::new(payload).map_err(|e| Error::json("the payload", e))?;
        self.payload = Some(payload);
        Ok(self)
    }

    /// With metadata: anything that is a JSON object.
    ///
    /// # Errors
    /// Metadata that JSON cannot express.
    pub fn with_metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Result<Self, Error> {
        let metadata = Json::new(metadata).map_err(|e| Error::json("the metadata", e))?;
        self.metadata = Some(metadata);
        Ok(self)
    }

    /// With a priority from 0 to 9, 9 most urgent.
    #[must_use]
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// With at most this many further tries after a first failure.
    #[must_use]
    pub fn with_max_retries(mut self, max_retries: u32) -> Self {
        self.max_retries = Some(max_retries);
        self
    }

    /// Not started before this long after the submission.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay_ms = Some(ms(delay));
        self
    }

    /// Not started before this time.
    #[must_use]
    pub fn scheduled_at(mut self, at: impl Into<Time>) -> Self {
        self.scheduled_at = Some(at.into());
        self
    }

    /// Dead-lettered when nobody started it within this time.
    #[must_use]
    pub fn expiring_in(mut self, within: Duration) -> Self {
        self.expires_in_ms = Some(ms(within));
        self
    }

    /// With leases that last this long without a heartbeat.
    #[must_use]
    pub fn with_visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout_ms = Some(ms(timeout));
        self
    }

    /// With attempts that may take at most this long, heartbeats or not.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = Some(ms(timeout));
        self
    }

    /// Kept for this long after its end.
    #[must_use]
    pub fn kept_for(mut self, retention: Duration) -> Self {
        self.retention_ms = Some(ms(retention));
        self
    }

    /// Not started before the task of this id succeeded.
    #[must_use]
    pub fn after(mut self, task: TaskId) -> Self {
        self.dependencies.push(task.into());
        self
    }

    /// Not started before the tasks of these names, of the same workflow, succeeded.
    #[must_use]
    pub fn after_named<N: Into<DependsOn>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.depends_on.extend(names.into_iter().map(Into::into));
        self
    }

    /// What becomes of it when a dependency cannot be satisfied.
    #[must_use]
    pub fn if_unsatisfied(mut self, then: IfUnsatisfied) -> Self {
        self.if_unsatisfied = Some(then);
        self
    }

    /// Only held by workers that have this much of a resource free.
    #[must_use]
    pub fn needing(mut self, resource: impl Into<String>, amount: u64) -> Self {
        self.resource_requirements.insert(resource.into(), amount);
        self
    }

    /// Named by a key for a day: the same submission again is answered with the same task.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// With a key that names it until it has ended: at most one such task is live.
    #[must_use]
    pub fn unique_while_live(mut self, key: impl Into<String>) -> Self {
        self.idempotency_window_ms = Some(WindowView::WhileLive);
        self.with_idempotency_key(key)
    }

    /// In the partition that a text chooses.
    #[must_use]
    pub fn with_partition_key(mut self, key: impl Into<String>) -> Self {
        self.partition_key = Some(key.into());
        self
    }
}

impl SubmitWorkflow {
    /// A workflow with a name for people to read, and no tasks yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// With one more task, which must have a name.
    #[must_use]
    pub fn with_task(mut self, task: SubmitTask) -> Self {
        self.tasks.push(task);
        self
    }

    /// Named by a key for a day: the same submission again is answered with the same workflow.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
