use serde::{Deserialize, Serialize};

use crate::{End, Gate, GateState, Label, Timestamp, WorkflowId};

/// Tasks that were submitted together, and how many of them have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// The workflow.
    pub id: WorkflowId,
    /// What its submitter calls it.
    pub name: Option<Label>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its last task ended; `None` while one is live.
    pub completed_at: Option<Timestamp>,
    /// All of its tasks, follow-ups included.
    pub tasks: u32,
    /// Tasks that succeeded.
    pub succeeded: u32,
    /// Tasks that are dead.
    pub dead: u32,
    /// Tasks that were cancelled.
    pub cancelled: u32,
    /// Those of the cancelled that were there for a failure that did not happen.
    pub not_needed: u32,
    /// Ended tasks that are no longer kept.
    pub purged: u32,
    /// The key that names the workflow, when its submitter gave one.
    pub idempotency: Option<crate::Idempotency>,
    /// A fingerprint of the tasks that it was submitted with.
    pub members: u128,
    /// What its tasks wait behind, when they do not fit into one transaction of the store.
    pub gate: Option<Gate>,
}

impl Workflow {
    /// Whether all of it was accepted. Until then it may still be given up, and to everybody but
    /// its submitter it is not there.
    pub fn is_accepted(&self) -> bool {
        self.gate.is_none_or(|gate| gate.state == GateState::Open)
    }

    /// How many of the tasks have not ended.
    pub const fn live(&self) -> u32 {
        self.tasks - self.succeeded - self.dead - self.cancelled
    }

    /// Counts one more task that ended so.
    pub(crate) fn count(&mut self, end: End) {
        for count in self.counters(end) {
            *count += 1;
        }
    }

    /// Counts a task that had ended so among the live ones again; `None`: none had.
    pub(crate) fn uncount(&mut self, end: End) -> Option<()> {
        for count in self.counters(end) {
            *count = count.checked_sub(1)?;
        }
        Some(())
    }

    fn counters(&mut self, end: End) -> impl Iterator<Item = &mut u32> {
        let (count, part) = match end {
            End::Succeeded => (&mut self.succeeded, None),
            End::Dead => (&mut self.dead, None),
            End::Cancelled => (&mut self.cancelled, None),
            End::NotNeeded => (&mut self.cancelled, Some(&mut self.not_needed)),
        };
        core::iter::once(count).chain(part)
    }
}
