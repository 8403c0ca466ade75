use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::submit::other_under_id;
use crate::draft::{Draft, Step};
use crate::{
    Gate, GateState, Record, RecordKey, Rejection, Reply, Timestamp, Workflow, WorkflowId, limits,
};

/// Stores one piece of a workflow that is larger than one transaction, behind the workflow's
/// gate. Made by `Submit`, which says what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The workflow.
    pub workflow: WorkflowId,
    /// When its submission began.
    pub created_at: Timestamp,
    /// A fingerprint of its tasks.
    pub members: u128,
    /// How many of its records stand behind the gate before this piece.
    pub first: u32,
    /// How many of them do so with it.
    pub then: u32,
    /// The piece: tasks, their lists of edges, and lists that name all of these.
    pub records: Vec<(RecordKey, Record)>,
}

impl Stage {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        let keys = self.records.iter().map(|(key, _)| key.clone());
        keys.chain([RecordKey::Workflow(self.workflow)]).collect()
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let incomplete = Rejection::Incomplete {
            workflow: self.workflow,
        };
        let known = draft.workflow(self.workflow)?;
        let same =
            |known: &Workflow| known.created_at == self.created_at && known.members == self.members;
        let Some(workflow) = known.filter(same) else {
            return Err(incomplete.into());
        };
        match workflow.gate {
            None => Ok(Reply::Done),
            Some(gate) => match gate.state {
                GateState::Open => Ok(Reply::Done),
                GateState::Closed if gate.done >= self.then => Ok(Reply::Done),
                GateState::Closed if gate.done == self.first => {
                    self.store(draft, workflow, gate)?;
                    Ok(Reply::Done)
                }
                _ => Err(incomplete.into()),
            },
        }
    }

    /// Stores the piece, and with it how far the workflow is.
    pub(super) fn store(
        &self,
        draft: &mut Draft<'_>,
        mut workflow: Workflow,
        mut gate: Gate,
    ) -> Step<()> {
        for (key, record) in &self.records {
            if let (RecordKey::Task(id), Some(_)) = (key, draft.get(key)?) {
                return Err(other_under_id(*id).into());
            }
            draft.put(key.clone(), record.clone());
        }
        gate.done = self.then;
        gate.due_at = draft.now + limits::GATE_PATIENCE + draft.view.max_clock_skew;
        workflow.gate = Some(gate);
        draft.put_workflow(workflow);
        Ok(())
    }
}
