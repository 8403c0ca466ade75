//! What was there of a workflow that somebody cancelled has ended, or is asked to stop.

use russet_core::{TaskId, WorkflowId};

use super::act::Act;
use super::trail::Effect;
use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::check::timeline::Timeline;
use crate::history::{Answer, Ask};

/// The tasks of a workflow whose end, or request to stop, was undone, each with the last commit
/// that did it.
pub(super) fn undone(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
) -> Vec<(TaskId, usize)> {
    let (Ask::CancelWorkflow(workflow), Answer::WorkflowCancelled { .. }) =
        (item.ask, replied.answer)
    else {
        return Vec::new();
    };
    let own = facts.tasks.iter();
    let own = own.filter(|(_, timeline)| was_member(timeline, *workflow, item.asked));
    let undone =
        own.filter_map(
            |(id, _)| match Act::Stop.effect(facts, *id, item.asked, replied.entry) {
                Effect::Undone(entry) => Some((*id, entry)),
                Effect::Unseen | Effect::Stands => None,
            },
        );
    undone.collect()
}

/// Whether the task was there, and of the workflow, at some time before the entry.
fn was_member(timeline: &Timeline<'_>, workflow: WorkflowId, entry: usize) -> bool {
    let mut before = timeline.moments.iter().take_while(|m| m.entry <= entry);
    before.any(|moment| {
        moment
            .after
            .is_some_and(|task| task.workflow == Some(workflow))
    })
}
