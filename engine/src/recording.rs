//! Recordings of decisions: what each was made from, and what it was. Run through `core`
//! again, a recording must give the same decisions.

use russet_core::{Command, Decision, Timestamp, Undecided, View, decide};
use serde::{Deserialize, Serialize};

/// One decision, with everything that it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// What was known; only the records that the decision read or wrote.
    pub view: View,
    /// What was asked for.
    pub command: Command,
    /// When.
    pub now: Timestamp,
    /// What was decided. It may still have been decided again after a conflict.
    pub decision: Decision,
}

/// Keeps recordings. Called on the commit path: it must not block.
pub trait Recorder: Send + Sync + 'static {
    /// Keeps one decision.
    fn record(&self, recorded: Recorded);
}

impl Recorded {
    /// The decision `decision` of `command`, and the part of `view` that it rests on.
    pub(crate) fn new(view: &View, command: &Command, now: Timestamp, decision: &Decision) -> Self {
        let written = decision.writes.iter().map(|write| &write.key);
        let keys = decision.reads.iter().chain(written);
        let known = keys.filter_map(|key| Some((key.clone(), view.records.get(key)?.clone())));
        let view = View {
            partition: view.partition,
            partitions: view.partitions,
            split: view.split,
            max_clock_skew: view.max_clock_skew,
            queue_defaults: view.queue_defaults.clone(),
            transaction: view.transaction,
            epoch: view.epoch,
            records: known.collect(),
        };
        Self {
            view,
            command: command.clone(),
            now,
            decision: decision.clone(),
        }
    }

    /// Decides again, from the recording alone.
    ///
    /// # Errors
    /// What this version of the rules refuses or misses.
    pub fn replay(&self) -> Result<Decision, Undecided> {
        decide(&self.view, &self.command, self.now)
    }
}
