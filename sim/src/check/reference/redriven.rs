//! A redrive of a workflow revives what is dead, and what was cancelled because of that, parents
//! before their children. It tells how many there were, and which stay as they are and why.

use russet_core::{Dependency, IfUnsatisfied, Record, Status, Task, TaskId, WorkflowId};

use super::is_no_verdict;
use crate::check::calls::{Item, Replied};
use crate::check::edges::Edges;
use crate::check::facts::Facts;
use crate::check::findings::Findings;
use crate::check::model::State;
use crate::check::timeline::{Moment, Timeline};
use crate::history::{Answer, Ask, redrive_number};

/// Records that a task's redrive changes beside its parents: its own, its key, its workflow's.
const BESIDE_PARENTS: usize = 4;

/// Bytes of a task of a plan at most, and of a list of dependents beside what any record takes.
const HEAVIEST: usize = 2 * Record::PLAIN;
const LIST_BYTES: usize = Record::LONGEST_DEPENDENTS - Record::PLAIN;

pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let is_one = |item: &&Item<'_>| matches!(item.ask, Ask::RedriveWorkflow { .. });
    let mut items = facts.calls.items.iter().filter(is_one).peekable();
    if items.peek().is_none() {
        return;
    }
    let (edges, members) = (Edges::of(facts), facts.members());
    for item in items {
        let Ask::RedriveWorkflow {
            workflow,
            request_id,
            cancelled,
        } = item.ask
        else {
            continue;
        };
        let Some(replied) = item.reply else {
            continue;
        };
        let redrive = Redrive {
            facts,
            edges: &edges,
            members: members.get(workflow).map_or(&[], Vec::as_slice),
            item,
            replied,
            workflow: *workflow,
            number: request_id.as_deref().map(redrive_number),
            cancelled: *cancelled,
        };
        redrive.answered(findings);
    }
}

/// One redrive of a workflow that was answered.
struct Redrive<'f, 'a> {
    facts: &'f Facts<'a>,
    edges: &'f Edges,
    members: &'f [TaskId],
    item: &'f Item<'a>,
    replied: Replied<'a>,
    workflow: WorkflowId,
    number: Option<u64>,
    cancelled: bool,
}

impl<'a> Redrive<'_, 'a> {
    fn answered(&self, findings: &mut Findings) {
        match self.replied.answer {
            Answer::WorkflowRedriven {
                redriven,
                refused,
                refusals,
            } => {
                self.counted(*redriven, findings);
                if *refused == refusals.len() as u64 {
                    self.left_out(refusals, findings);
                }
                for (task, code) in refusals {
                    self.refused(*task, code, findings);
                }
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
            "{} wanted to redrive workflow {}",
            self.item.who, self.workflow
        )
    }

    fn states(&self, id: TaskId) -> impl Iterator<Item = Option<&'a Task>> {
        let own = self.facts.tasks.get(&id).into_iter();
        own.flat_map(|own| own.states(self.item.asked, self.replied.entry))
    }

    fn during(&self, id: TaskId) -> impl Iterator<Item = &Moment<'a>> {
        let own = self.facts.tasks.get(&id).into_iter();
        own.flat_map(|own| own.during(self.item.asked, self.replied.entry))
    }

    /// Whether the workflow was not there, or not all of it, at some time.
    fn was_away(&self) -> bool {
        let (from, to) = (self.item.asked, self.replied.entry);
        self.facts.was_away(self.workflow, from, to)
    }

    fn is_by_this(&self, task: &Task) -> bool {
        self.number
            .is_none_or(|number| task.redriven_by == Some(number))
    }

    /// No more tasks were said to be redriven than there are.
    fn counted(&self, redriven: u64, findings: &mut Findings) {
        let may_be = |id: &&TaskId| {
            let seen = self
                .states(**id)
                .flatten()
                .any(|task| self.is_by_this(task));
            // Nobody knows what became of it before it was forgotten or redriven once more.
            seen || self
                .during(**id)
                .any(|moment| moment.forgotten().is_some() || moment.redriven().is_some())
        };
        let known = self.members.iter().filter(may_be).count();
        if redriven > known as u64 {
            let what = format!(
                "{} and was told that {redriven} tasks are redriven, and there are {known}",
                self.sentence()
            );
            findings.add(what, &self.item.shown_by());
        }
    }

    /// Nothing that could be redriven all the time stays as it is without a word.
    fn left_out(&self, refusals: &[(TaskId, String)], findings: &mut Findings) {
        for id in self.members {
            if refusals.iter().any(|(refused, _)| refused == id) {
                continue;
            }
            let stays = self.states(*id).all(|task| {
                task.is_some_and(|task| {
                    let risen = self.number.is_some() && self.is_by_this(task);
                    !risen && State::of(task).can_rise(self.cancelled)
                })
            });
            if stays {
                let what = format!("{}, and task {id} of it was left out", self.sentence());
                findings.add(what, &self.item.shown_by());
            }
        }
    }

    /// A task that is said to stay as it is has a reason to.
    fn refused(&self, id: TaskId, code: &str, findings: &mut Findings) {
        let has_reason = match code {
            "not_found" => self.states(id).any(|task| task.is_none()),
            "idempotency_conflict" => self.states(id).flatten().any(|task| self.is_named(task)),
            "wrong_status" => {
                let redriven = self.during(id).any(|moment| moment.redriven().is_some());
                redriven || self.states(id).any(|task| self.may_stay(task))
            }
            "limit_exceeded" => self.states(id).flatten().any(|task| self.is_too_wide(task)),
            _ => false,
        };
        if !(self.members.contains(&id) && has_reason) {
            let what = format!(
                "{} and was told that task {id} stays as it is ({code}), which has no reason to",
                self.sentence()
            );
            let seen = self.during(id).map(|moment| moment.entry).take(4);
            let shown_by: Vec<_> = self.item.shown_by().into_iter().chain(seen).collect();
            findings.add(what, &shown_by);
        }
    }

    /// Whether the task waits for more parents than one transaction can tell of it. Where the
    /// dependents of a parent are a list by themselves, that changes beside the parent.
    fn is_too_wide(&self, task: &Task) -> bool {
        let parents = self.parents_of(task).iter();
        let lists = parents.filter(|edge| self.has_list(edge.task)).count();
        let changes = BESIDE_PARENTS + task.dependencies.total as usize + lists;
        let bytes = changes * HEAVIEST + lists * LIST_BYTES;
        let plan = self.facts.run.plan;
        let limit = plan.transaction_of(plan.world.transaction());
        task.attempt == 0 && !limit.admits(changes, bytes)
    }

    fn has_list(&self, parent: TaskId) -> bool {
        let mut states = self.states(parent).flatten();
        states.any(|parent| !parent.dependents.has_room_inline())
    }

    /// Whether a key names the task, or its workflow.
    fn is_named(&self, task: &Task) -> bool {
        let (from, to) = (self.item.asked, self.replied.entry);
        let mut states = self.facts.workflow_states(self.workflow, from, to);
        task.idempotency.is_some()
            || states.any(|workflow| workflow.is_none_or(|known| known.idempotency.is_some()))
    }

    /// Whether a task in this state stays as it is.
    fn may_stay(&self, task: Option<&Task>) -> bool {
        let Some(task) = task else {
            return true;
        };
        let (from, to) = (self.item.asked, self.replied.entry);
        let mut workflows = self.facts.workflow_states(self.workflow, from, to);
        !State::of(task).can_rise(self.cancelled)
            || !task.dependents.are_settled()
            || task.dependents.cleared > 0
            || workflows.any(|workflow| workflow.is_none_or(|known| known.gate.is_some()))
            || self.waits_in_vain(task)
    }

    /// Whether a parent that has ended keeps a task that never started from its new life.
    fn waits_in_vain(&self, task: &Task) -> bool {
        if task.attempt > 0 || task.if_unsatisfied == IfUnsatisfied::Run {
            return false;
        }
        let mut parents = self.parents_of(task).iter();
        parents.any(|edge| self.stands_in_the_way(edge))
    }

    /// What the task was submitted to wait for.
    fn parents_of(&self, task: &Task) -> &[Dependency] {
        let timeline = &self.facts.tasks[&task.id];
        let mut made = timeline.moments.iter().filter(|m| m.created().is_some());
        let made = made.rfind(|moment| moment.entry <= self.replied.entry);
        made.map_or(&[], |made| self.edges.of_task(task.id, made.entry))
    }

    /// Whether a parent had ended as it should not have when its child was looked at. One that
    /// this redrive revived was looked at before its child.
    fn stands_in_the_way(&self, edge: &Dependency) -> bool {
        let Some(parent) = self.facts.tasks.get(&edge.task) else {
            return false;
        };
        let (from, to) = (self.item.asked, self.replied.entry);
        let in_vain = |end| !edge.on.is_satisfied_by(end);
        let is_bad = |task: &Task| task.end().is_some_and(in_vain);
        let mut risen = parent.during(from, to).iter();
        let risen =
            risen.find(|moment| moment.redriven().is_some_and(|task| self.is_by_this(task)));
        match risen {
            Some(risen) => {
                let lived = was_live_before(parent, from, risen.entry);
                lived || parent.states(risen.entry, to).flatten().any(is_bad)
            }
            None => {
                let mut during = parent.during(from, to).iter();
                let unseen = during.any(|moment| moment.redriven().is_some());
                unseen || parent.states(from, to).flatten().any(is_bad)
            }
        }
    }
}

/// Whether a task was live at some time before the entry: it may have ended after it was looked for.
fn was_live_before(timeline: &Timeline<'_>, from: usize, entry: usize) -> bool {
    let mut before = timeline.states(from, entry - 1).flatten();
    before.any(|task| !ended(task.status))
}

fn ended(status: Status) -> bool {
    status.is_terminal()
}

#[cfg(test)]
mod tests;
