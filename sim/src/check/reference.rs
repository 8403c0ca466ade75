//! Every answer is one that the rules give at some moment between the question and the answer:
//! the rules as the model says them, on the tasks as the store's log says them.

mod cancelled;
mod look;
mod redriven;
mod submitted;
mod undone;

use super::Violation;
use super::calls::{task_of, verb};
use super::facts::Facts;
use super::findings::Findings;
use super::timeline::Timeline;
use crate::history::{Answer, Ask};
use look::Look;
use submitted::submitted;
use undone::undone;

pub(super) const PROMISE: &str = "reference";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let nothing = Timeline::default();
    for item in &facts.calls.items {
        let Some(replied) = item.reply else {
            continue;
        };
        if let Ask::Submit(asked) = item.ask {
            submitted(facts, item, replied, asked, &mut findings);
            undone(facts, item, replied, asked, &mut findings);
            continue;
        }
        let Some(id) = task_of(item.ask) else {
            continue;
        };
        let look = Look {
            facts,
            item,
            replied,
            id,
            timeline: facts.tasks.get(&id).unwrap_or(&nothing),
        };
        if is_no_verdict(facts, replied.answer) {
            continue;
        }
        if look.timeline.at(replied.entry).is_none() && facts.calls.purged(id, replied.entry) {
            continue;
        }
        if !look.is_right() {
            findings.add(look.sentence(), &look.shown_by());
        } else if !look.has_effect() {
            let what = format!(
                "{} was told that its {} of task {id} is done, and it was not",
                item.who,
                verb(item.ask)
            );
            findings.add(what, &look.shown_by());
        }
    }
    cancelled::check(facts, &mut findings);
    redriven::check(facts, &mut findings);
    findings.done()
}

/// Whether an answer says nothing about a task: it may be better to ask again later.
fn is_no_verdict(facts: &Facts<'_>, answer: &Answer) -> bool {
    match answer {
        Answer::Lost | Answer::NotSent => true,
        Answer::Refused { status: 413, .. } => facts.run.plan.bounds_transactions(),
        Answer::Refused { status, .. } => *status == 0 || *status == 429 || *status >= 500,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
