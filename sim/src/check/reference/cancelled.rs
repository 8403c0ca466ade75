//! A cancel of a workflow leaves nothing out that was there when it was asked for: each task has
//! ended, or its holder is asked to stop. Who was asked to stop may finish, and starts no more.

use russet_core::{Status, Task, TaskId, WorkflowId};

use super::is_no_verdict;
use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::check::findings::Findings;
use crate::check::timeline::Moment;
use crate::history::{Answer, Ask};

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, moment) in facts.moments() {
        goes_on(id, moment, findings);
    }
    let asked = facts.calls.items.iter().filter_map(|item| match item.ask {
        Ask::CancelWorkflow(workflow) => Some((item, *workflow, item.reply?)),
        _ => None,
    });
    let mut asked = asked.peekable();
    if asked.peek().is_none() {
        return;
    }
    let members = facts.members();
    for (item, workflow, replied) in asked {
        let cancel = Cancel {
            facts,
            members: members.get(&workflow).map_or(&[], Vec::as_slice),
            item,
            replied,
            workflow,
        };
        cancel.answered(findings);
    }
}

/// A task whose holder was asked to stop succeeds or is cancelled, and is not tried again.
fn goes_on(id: TaskId, moment: &Moment<'_>, findings: &mut Findings) {
    let (Some(before), Some(after)) = (moment.before, moment.after) else {
        return;
    };
    if !is_asked(before) || moment.redriven().is_some() {
        return;
    }
    let runs = is_asked(after) && after.attempt == before.attempt;
    if !(runs || matches!(after.status, Status::Succeeded | Status::Cancelled)) {
        let what = format!(
            "the holder of task {id} was asked to stop, and then it was {} at attempt {}",
            after.status, after.attempt
        );
        findings.add(what, &[moment.entry]);
    }
}

fn is_asked(task: &Task) -> bool {
    task.status == Status::Running && task.cancel_requested
}

/// One cancel of a workflow that was answered.
struct Cancel<'f, 'a> {
    facts: &'f Facts<'a>,
    members: &'f [TaskId],
    item: &'f Item<'a>,
    replied: Replied<'a>,
    workflow: WorkflowId,
}

impl<'a> Cancel<'_, 'a> {
    fn answered(&self, findings: &mut Findings) {
        match self.replied.answer {
            Answer::WorkflowCancelled { cancelled, asked } => {
                self.left_out(findings);
                self.counted((*cancelled, "cancelled"), is_cancelled, findings);
                self.counted((*asked, "asked to stop"), is_running, findings);
            }
            Answer::Refused { code, status } => {
                let later = *status != 413 && is_no_verdict(self.facts, self.replied.answer);
                if !(later || code == "not_found" && self.was_away()) {
                    let what = format!("{} and was refused as {code}", self.sentence());
                    findings.add(what, &self.item.shown_by());
                }
            }
            _ => {}
        }
    }

    fn sentence(&self) -> String {
        format!(
            "{} wanted to cancel workflow {}",
            self.item.who, self.workflow
        )
    }

    fn was_away(&self) -> bool {
        let (from, to) = (self.item.asked, self.replied.entry);
        self.facts.was_away(self.workflow, from, to)
    }

    fn states(&self, id: TaskId) -> impl Iterator<Item = Option<&'a Task>> {
        let own = self.facts.tasks.get(&id).into_iter();
        own.flat_map(|own| own.states(self.item.asked, self.replied.entry))
    }

    fn during(&self, id: TaskId) -> impl Iterator<Item = &Moment<'a>> {
        let own = self.facts.tasks.get(&id).into_iter();
        own.flat_map(|own| own.during(self.item.asked, self.replied.entry))
    }

    /// Whether the task came back to life meanwhile: it may have been cancelled in the same commit.
    fn was_redriven(&self, id: TaskId) -> bool {
        self.during(id).any(|moment| moment.redriven().is_some())
    }

    /// No task that was there goes on all the time as if nobody had asked.
    fn left_out(&self, findings: &mut Findings) {
        for id in self.members {
            let goes_on = |task: Option<&Task>| {
                task.is_some_and(|task| !task.status.is_terminal() && !is_asked(task))
            };
            if self.states(*id).all(goes_on) && !self.was_redriven(*id) {
                let what = format!("{}, and task {id} of it was left out", self.sentence());
                findings.add(what, &self.item.shown_by());
            }
        }
    }

    /// No more tasks were said to have stopped than may have.
    fn counted(
        &self,
        (told, how): (u64, &str),
        may_be: fn(&Task) -> bool,
        findings: &mut Findings,
    ) {
        let seen = |id: &TaskId| {
            let mut hidden = self.during(*id).map(hides);
            hidden.any(|hides| hides) || self.states(*id).flatten().any(may_be)
        };
        let known = self.members.iter().filter(|id| seen(id)).count() as u64;
        let again = self.members.iter().any(|id| self.was_redriven(*id));
        if told > known && !again {
            let what = format!(
                "{} and was told that {told} tasks are {how}, and there are {known}",
                self.sentence()
            );
            findings.add(what, &self.item.shown_by());
        }
    }
}

fn is_cancelled(task: &Task) -> bool {
    task.status == Status::Cancelled
}

fn is_running(task: &Task) -> bool {
    task.status == Status::Running
}

/// Whether nobody knows all that the task was in this commit.
fn hides(moment: &Moment<'_>) -> bool {
    moment.forgotten().is_some() || moment.granted().is_some()
}

#[cfg(test)]
mod tests;
