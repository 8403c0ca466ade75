//! Within its window an idempotency key names one task: the same reply, across nodes, crashes
//! and retries.

mod keys;

use std::collections::BTreeMap;

use russet::wire::SubmitWorkflow;
use russet_core::{Task, TaskId};

use super::Violation;
use super::calls::{Item, Replied};
use super::facts::Facts;
use super::findings::Findings;
use crate::history::{Answer, Ask};
use keys::Keys;

pub(super) const PROMISE: &str = "dedup";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut keys = Keys::new(facts);
    for commit in &facts.commits {
        keys.commit(commit, &mut findings);
    }
    for item in &facts.calls.items {
        if let Some(replied) = item.reply {
            keys.answered(item, replied, &mut findings);
            conflict(facts, item, replied, &mut findings);
        }
    }
    new_once(facts, &mut findings);
    findings.done()
}

/// Each task is new in one answer only.
fn new_once(facts: &Facts<'_>, findings: &mut Findings) {
    let mut answers: BTreeMap<TaskId, Vec<usize>> = BTreeMap::new();
    for item in &facts.calls.items {
        let Some(replied) = item.reply else {
            continue;
        };
        if let Answer::Submitted {
            task: Some(id),
            existing: false,
            ..
        } = replied.answer
        {
            answers.entry(*id).or_default().push(replied.entry);
        }
    }
    for (id, entries) in answers.iter().filter(|(_, entries)| entries.len() > 1) {
        let known = facts.tasks.get(id);
        let made = known.map_or(0, |own| {
            own.moments.iter().filter(|m| m.created().is_some()).count()
        });
        if entries.len() > made {
            let what = format!("{} answers say that task {id} is new", entries.len());
            findings.add(what, entries);
        }
    }
}

/// A request is refused as another one under its key or id only when there was another one.
fn conflict(facts: &Facts<'_>, item: &Item<'_>, replied: Replied<'_>, findings: &mut Findings) {
    let refused =
        matches!(replied.answer, Answer::Refused { code, .. } if code == "idempotency_conflict");
    if !refused {
        return;
    }
    let same = match item.ask {
        Ask::Submit(asked) => {
            let id = asked.id.unwrap_or(TaskId::from_u128(0));
            let key = asked.idempotency_key.as_deref();
            let mut all = facts.names.requests(id, key, None, replied.entry);
            all.all(|request| request.task == &**asked)
        }
        Ask::SubmitWorkflow(asked) => is_same_workflow(facts, asked, replied.entry),
        _ => false,
    };
    if same {
        let what = format!(
            "{} repeated a request and was told that it is another one",
            item.who
        );
        findings.add(what, &item.shown_by());
    }
}

/// Whether every workflow that was asked for under the same id or key is the same. Whoever was
/// redriven may have taken its key back, and is not compared.
fn is_same_workflow(facts: &Facts<'_>, asked: &SubmitWorkflow, until: usize) -> bool {
    let redriven = facts
        .moments()
        .any(|(_, moment)| moment.entry < until && moment.redriven().is_some_and(is_of_workflow));
    let items = facts.calls.items.iter().filter(|item| item.asked < until);
    let mut others = items.filter_map(|item| match item.ask {
        Ask::SubmitWorkflow(other) => Some(&**other),
        _ => None,
    });
    !redriven
        && others.all(|other| {
            let by_id = asked.id.is_some() && other.id == asked.id;
            let key = &asked.idempotency_key;
            let by_key = key.is_some() && other.idempotency_key == *key;
            !(by_id || by_key) || other == asked
        })
}

fn is_of_workflow(task: &Task) -> bool {
    task.workflow.is_some()
}

#[cfg(test)]
mod tests;
