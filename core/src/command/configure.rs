use serde::{Deserialize, Serialize};

use super::validate;
use crate::draft::{Draft, Step};
use crate::{QueueName, QueuePatch, Rejection, Reply, limits};

/// Changes how a queue treats its tasks, in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    /// The queue.
    pub queue: QueueName,
    /// What changes.
    pub patch: QueuePatch,
}

impl Configure {
    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let patch = &self.patch;
        validate::optional_duration("aging_ms", patch.aging, true)?;
        validate::optional_duration("keep_finished_ms", patch.keep_finished, true)?;
        validate::optional_duration("keep_dead_ms", patch.keep_dead, true)?;
        if let Some(Some(limit)) = patch.concurrency
            && !(1..=limits::CONCURRENCY_MAX).contains(&limit)
        {
            return Err(Rejection::invalid(
                "concurrency",
                alloc::format!("{limit} is not a limit"),
                alloc::format!(
                    "1 to {}; pause the queue to run nothing",
                    limits::CONCURRENCY_MAX
                ),
            )
            .into());
        }
        let is_known = draft.queue(&self.queue)?.is_some();
        let mut queue = draft.queue_or_default(&self.queue)?;
        let was_paused = queue.config.paused;
        let config = &mut queue.config;
        config.paused = patch.paused.unwrap_or(config.paused);
        config.concurrency = patch.concurrency.unwrap_or(config.concurrency);
        config.aging = patch.aging.unwrap_or(config.aging);
        config.keep_finished = patch.keep_finished.unwrap_or(config.keep_finished);
        config.keep_dead = patch.keep_dead.unwrap_or(config.keep_dead);
        let reply = Reply::Configured(config.clone());
        let only_pauses = QueuePatch {
            paused: None,
            ..patch.clone()
        } == QueuePatch::default();
        if !is_known && only_pauses && config.paused == was_paused {
            // Resuming what nobody paused makes no queue.
            return Ok(reply);
        }
        queue.updated_at = draft.now.max(queue.updated_at);
        draft.put_queue(queue);
        Ok(reply)
    }
}
