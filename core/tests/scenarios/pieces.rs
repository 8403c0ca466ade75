//! What scenarios do with workflows that are larger than one transaction of the store.
//!
//! ```text
//! given transactions most=6                      how many records the store changes at once
//! when the next piece is stored                  also the last one, or the one before
//! when w is submitted again                      under the same ids
//! when u is submitted again                      the last workflow, under new ids: w2, and a2 for a
//! then 2 pieces are missing
//! ```

use russet_core::command::Submit;
use russet_core::{Command, PartitionId, Reply, TaskId, WorkflowId};

use crate::line::Line;
use crate::stage::{Played, Stage};

const HERE: PartitionId = PartitionId(0);

impl Stage {
    pub fn small_transactions(&mut self, mut line: Line) -> Played {
        if let Some(most) = line.number("most")? {
            self.settings.transaction.changes = most;
        }
        line.finish()
    }

    pub fn submit_large(&mut self, submit: Submit) -> Played {
        self.run(HERE, &Command::Submit(submit.clone()))?;
        if let Some(missing) = self.missing() {
            self.large = (submit, missing);
        }
        Ok(())
    }

    /// The same workflow; or, under a name that is new, the same tasks under new ids.
    pub fn submit_again(&mut self, name: &str) -> Played {
        let mut submit = self.large.0.clone();
        if !self.names.contains_key(name) {
            let id = WorkflowId::from(self.new_id(name, HERE));
            submit.workflow.as_mut().ok_or("which workflow?")?.id = id;
            let old: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
            let new: Vec<_> = old.iter().map(|id| self.renamed(*id)).collect();
            for (task, id) in submit.tasks.iter_mut().zip(&new) {
                task.id = *id;
                for edge in &mut task.dependencies {
                    let at = old.iter().position(|id| *id == edge.task);
                    edge.task = at.map_or(edge.task, |at| new[at]);
                }
            }
        }
        self.submit_large(submit)
    }

    fn renamed(&mut self, id: TaskId) -> TaskId {
        let known = self.names.iter().find(|(_, known)| **known == id);
        let name = known.map_or_else(String::new, |(name, _)| format!("{name}2"));
        self.new_id(&name, HERE)
    }

    /// A piece stays among those that can be stored, as a client that does not hear of it has it.
    pub fn store_piece(&mut self, which: &str) -> Played {
        let pieces = &mut self.large.1;
        let piece = match which {
            "next" if !pieces.is_empty() => {
                pieces.rotate_left(1);
                pieces.last()
            }
            "last" => pieces.iter().max_by_key(|piece| piece.first),
            "same" => pieces.last(),
            _ => None,
        };
        let piece = piece.ok_or("there is no such piece")?.clone();
        self.run(HERE, &Command::Stage(piece))
    }

    fn missing(&self) -> Option<Vec<russet_core::Stage>> {
        match &self.last.as_ref()?.as_ref().ok()?.reply {
            Reply::Staged(pieces) => Some(pieces.clone()),
            _ => None,
        }
    }

    pub fn look_at_missing(&self, count: &str) -> Played {
        let missing = self.missing().ok_or("it is not submitted in pieces")?;
        if missing.len().to_string() == count {
            return Ok(());
        }
        Err(format!("{} pieces are missing", missing.len()))
    }
}
