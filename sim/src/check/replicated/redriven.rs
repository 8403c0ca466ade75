//! As many tasks have a new life as a redrive was said to give one.

use russet_core::TaskId;

use super::act::Act;
use super::trail::Effect;
use crate::check::calls::{Item, Replied, redrive_of};
use crate::check::facts::Facts;
use crate::check::timeline::Timeline;
use crate::history::{Answer, Ask, redrive_number};

/// A task whose new life was undone, with the commit that gave it, when fewer stand than were
/// told of.
pub(super) fn undone(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
) -> Option<(TaskId, usize)> {
    let (request_id, told) = match (item.ask, replied.answer) {
        (Ask::Redrive { request_id, .. }, Answer::Now { .. }) => (request_id, 1),
        (Ask::RedriveAll { request_id, .. }, Answer::Redriven(redriven))
        | (Ask::RedriveWorkflow { request_id, .. }, Answer::WorkflowRedriven { redriven, .. }) => {
            (request_id, *redriven)
        }
        _ => return None,
    };
    let act = Act::Redrive(request_id.as_deref().map(redrive_number));
    let meant = facts.tasks.iter().filter(|(id, timeline)| match item.ask {
        Ask::Redrive { task, .. } => task == *id,
        many => is_meant(many, timeline),
    });
    let effects = meant.map(|(id, _)| {
        let effect = act.effect(facts, *id, item.asked, replied.entry);
        (*id, effect)
    });
    let effects: Vec<_> = effects.collect();
    let standing = effects.iter().filter(|(_, e)| *e == Effect::Stands).count();
    let mut undone = effects.iter().filter_map(|(id, effect)| match effect {
        Effect::Undone(entry) => Some((*id, *entry)),
        Effect::Unseen | Effect::Stands => None,
    });
    undone.next().filter(|_| (standing as u64) < told)
}

/// Whether a redrive of many tasks means this one.
fn is_meant(ask: &Ask, timeline: &Timeline<'_>) -> bool {
    let first = timeline.moments.first();
    let task = first.and_then(|moment| moment.after.or(moment.before));
    task.is_some_and(|task| redrive_of(ask, task).is_some())
}
