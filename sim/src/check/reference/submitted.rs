use russet::wire::SubmitTask;
use russet_core::TaskId;

use super::is_no_verdict;
use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::check::findings::Findings;
use crate::history::Answer;

/// The task of an accepted submission is there, and new when it is said to be.
pub(super) fn submitted(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    asked: &SubmitTask,
    findings: &mut Findings,
) {
    match replied.answer {
        Answer::Submitted {
            task: Some(id),
            existing,
            ..
        } => {
            let Some(timeline) = facts.tasks.get(id) else {
                return;
            };
            let (from, to) = (item.asked, replied.entry);
            let was_there = timeline.states(from, to).flatten().next().is_some();
            let during = timeline.during(from, to).iter();
            let made = during.clone().any(|moment| moment.created().is_some());
            let wrong = match existing {
                false if !made => "is new, and it was not made then",
                _ if !was_there && !made => "is accepted, and it was not there then",
                _ => return,
            };
            findings.add(
                format!("{} was told that task {id} {wrong}", item.who),
                &item.shown_by(),
            );
        }
        Answer::Refused { code, .. } if !is_no_verdict(facts, replied.answer) => {
            let may_be = match code.as_str() {
                "idempotency_conflict" => asked.id.is_some() || asked.idempotency_key.is_some(),
                "dependency_not_found" => is_missing_parent(facts, item, replied, asked),
                "invalid" => expires(asked),
                _ => false,
            };
            if !may_be {
                let what = format!(
                    "{} submitted a task that could be accepted and was told {code}",
                    item.who
                );
                findings.add(what, &item.shown_by());
            }
        }
        _ => {}
    }
}

/// Whether a task expires, perhaps before it can start.
pub(super) fn expires(asked: &SubmitTask) -> bool {
    asked.expires_in_ms.is_some() || asked.expires_at.is_some()
}

/// Whether a task that the new one waits for was not there at some time.
fn is_missing_parent(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    asked: &SubmitTask,
) -> bool {
    asked.dependencies.iter().any(|edge| {
        let parent = edge.task.parse::<TaskId>().ok();
        let timeline = parent.and_then(|parent| facts.tasks.get(&parent));
        timeline.is_none_or(|timeline| {
            timeline
                .states(item.asked, replied.entry)
                .any(|task| task.is_none())
        })
    })
}
