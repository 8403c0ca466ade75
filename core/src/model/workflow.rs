use serde::{Deserialize, Serialize};

use crate::{Gate, GateState, Label, Status, Timestamp, WorkflowId};

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

    /// The counter of tasks that ended as `status`; `None` for a live status.
    pub(crate) fn ended_mut(&mut self, status: Status) -> Option<&mut u32> {
        match status {
            Status::Succeeded => Some(&mut self.succeeded),
            Status::Dead => Some(&mut self.dead),
            Status::Cancelled => Some(&mut self.cancelled),
            _ => None,
        }
    }
}
