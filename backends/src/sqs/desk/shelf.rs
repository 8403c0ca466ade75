use std::collections::VecDeque;
use std::time::Duration;

use russet_core::Timestamp;
use russet_engine::Delivery;

use crate::limits::{SQS_FAILED_PAUSE, SQS_LONG_POLL, SQS_PATIENCE_KEPT};

/// What is known of one SQS queue.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) held: VecDeque<Held>,
    /// Requests under way that wait for a message at SQS.
    pub(super) long: usize,
    /// Requests under way that do not.
    pub(super) short: usize,
    /// The last request was answered with as much as it asked for.
    pub(super) deep: bool,
    /// How long the next request waits at SQS, in seconds.
    pub(super) patience: u64,
    pub(super) asked_at: Option<Timestamp>,
    /// The last request that has ended failed.
    pub(super) failed: Option<Failure>,
}

/// Why a request failed, and when the next one may be made.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) until: Timestamp,
}

/// A message that has arrived and that nobody has yet.
#[derive(Debug)]
pub(in crate::sqs) struct Held {
    pub(in crate::sqs) delivery: Delivery,
    /// It is not given to anybody after this.
    pub(in crate::sqs) until: Timestamp,
    pub(in crate::sqs) poll: u64,
}

impl Shelf {
    /// Somebody asks. When nobody did for a while, requests wait for a short time first again.
    pub(super) fn asked(&mut self, now: Timestamp) {
        let last = self.asked_at.replace(now);
        let is_recent = last.is_some_and(|at| Duration::from(now.since(at)) < SQS_PATIENCE_KEPT);
        if !is_recent && self.long == 0 {
            self.patience = 0;
        }
    }

    /// The next message that may still be given to somebody. Those that may not stay: whoever
    /// brought them gives them back.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Held> {
        let at = self.held.iter().position(|held| held.until > now)?;
        self.held.remove(at)
    }

    /// Until when no request is made, after one that failed.
    pub(super) fn paused(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.failed.as_ref()?.until;
        // A clock that was set back makes the pause no longer.
        (until > now && until.since(now) <= SQS_FAILED_PAUSE).then_some(until)
    }

    /// Why it can be said that nothing comes: a request failed, and no other is under way.
    pub(super) fn failing(&self) -> Option<&str> {
        let failure = self.failed.as_ref()?;
        (self.long + self.short == 0).then_some(&failure.why)
    }

    /// How long a request waits at SQS for a receiver that waits up to `wait`: longer and longer
    /// while somebody keeps asking.
    pub(super) fn patience(&self, wait: Duration) -> u64 {
        let own = wait.as_secs().max(1);
        own.max(self.patience).min(SQS_LONG_POLL.as_secs())
    }
}
