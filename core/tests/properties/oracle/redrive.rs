//! A workflow that goes on where it failed.

use russet_core::command::{Redrive, RedriveWorkflow};
use russet_core::{Record, Rejection, Reply, Status, TaskId};

use super::{Answer, EDGE_BYTES, Expected, Oracle, Peek, RECORD_BYTES};

/// Most records that the redrive of one task changes, as a rule: the task, its key, its parents
/// and their lists, messages to parents elsewhere.
const REDRIVE_WRITES: usize = 8;

/// Most bytes of the list of a parent.
const LIST_BYTES: usize = 128 * EDGE_BYTES;

impl Oracle {
    /// Each task by itself, in whichever order most of them come back, as far as there is room.
    pub(super) fn redrive_workflow(
        &mut self,
        redrive: &RedriveWorkflow,
        peek: Peek<'_>,
    ) -> Expected {
        if !self.flows.contains_key(&redrive.workflow) {
            return Err("not_found");
        }
        let room = self.room(peek);
        let ids = &redrive.tasks[..room.map_or(redrive.tasks.len(), <[_]>::len)];
        let refused = |at: usize| room.and_then(|room| room[at].as_ref().err());
        let one = |oracle: &mut Self, at: usize| {
            let before = refused(at).map(|refused| (oracle.clone(), refused.code()));
            let result = oracle.redrive_member(redrive, ids[at]);
            match (before, result) {
                // There was no room for it.
                (Some((before, code)), Ok(_)) => {
                    *oracle = before;
                    Err(code)
                }
                (_, result) => result,
            }
        };
        let mut tasks: Vec<_> = (0..ids.len()).map(|at| one(self, at)).collect();
        let mut again = true;
        while again {
            again = false;
            for (at, task) in tasks
                .iter_mut()
                .enumerate()
                .filter(|(_, task)| task.is_err())
            {
                if let Ok(status) = one(self, at) {
                    *task = Ok(status);
                    again = true;
                }
            }
        }
        Ok(Answer::Redriven(tasks))
    }

    /// What the rules redrove, when one task more may not have fitted into the transaction.
    fn room<'a>(&self, peek: Peek<'a>) -> Option<&'a [Result<Status, Rejection>]> {
        let decision = peek.decision?;
        let written = decision.writes.iter();
        let bytes: usize = written
            .filter_map(|w| w.record.as_ref())
            .map(Record::weight)
            .sum();
        let has_room = self.transaction.admits(
            decision.writes.len() + REDRIVE_WRITES,
            bytes + REDRIVE_WRITES * RECORD_BYTES + LIST_BYTES,
        );
        match &decision.reply {
            Reply::Redriven { tasks } if !has_room => Some(tasks),
            _ => None,
        }
    }

    fn redrive_member(
        &mut self,
        redrive: &RedriveWorkflow,
        task: TaskId,
    ) -> Result<Status, &'static str> {
        let before = self.clone();
        let one = Redrive {
            task,
            id: redrive.id,
            cancelled: redrive.cancelled,
        };
        let member = self.job(task).map(|job| job.workflow) == Some(Some(redrive.workflow));
        let result = match member {
            true => self.redrive(&one),
            false => Err("not_found"),
        };
        match result {
            Ok(_) => Ok(self.jobs[&task].status),
            Err(code) => {
                *self = before;
                Err(code)
            }
        }
    }
}
