//! A change of a queue holds in every partition.

use russet::wire::ConfigureQueue;
use russet_core::{PartitionId, QueueConfig, QueueName, QueuePatch, QueueRecord};

use super::trail::{Effect, Trail};
use crate::check::calls::{Item, Replied};
use crate::check::facts::Facts;
use crate::history::Ask;
use crate::plan::AGING;

/// A partition in which a change that was told of was undone, with the last commit that made it.
pub(super) fn undone(
    facts: &Facts<'_>,
    item: &Item<'_>,
    replied: Replied<'_>,
    (queue, change): (&QueueName, &ConfigureQueue),
) -> Option<(PartitionId, usize)> {
    let patch = QueuePatch::from(*change);
    let shared = may_share_commits(facts, item, replied.entry);
    (0..facts.run.plan.partitions).find_map(|partition| {
        let partition = PartitionId(partition);
        let moments = facts.queues.get(&(partition, queue))?;
        let states = moments.iter().map(|moment| (moment.entry, moment.after));
        let trail = Trail::of(facts, states);
        let shows = |record: Option<&QueueRecord>| holds(&patch, record);
        match trail.effect(item.asked, replied.entry, shows, |_| shared) {
            Effect::Undone(entry) => Some((partition, entry)),
            Effect::Unseen | Effect::Stands => None,
        }
    })
}

/// Whether a queue is as a change wants it. One without a record is as all are at first.
fn holds(patch: &QueuePatch, record: Option<&QueueRecord>) -> bool {
    let at_first = QueueConfig {
        aging: AGING,
        ..QueueConfig::default()
    };
    let config = record.map_or(&at_first, |record| &record.config);
    patch.paused.is_none_or(|wanted| wanted == config.paused)
        && (patch.concurrency).is_none_or(|wanted| wanted == config.concurrency)
        && patch.aging.is_none_or(|wanted| wanted == config.aging)
        && (patch.keep_finished).is_none_or(|wanted| wanted == config.keep_finished)
        && patch
            .keep_dead
            .is_none_or(|wanted| wanted == config.keep_dead)
}

/// Whether another change of the queue was under way at the same time: one commit may hold both,
/// and shows the last.
fn may_share_commits(facts: &Facts<'_>, item: &Item<'_>, told: usize) -> bool {
    let queue_of = |ask: &Ask| match ask {
        Ask::Configure { queue, .. } => Some(queue.clone()),
        _ => None,
    };
    let queue = queue_of(item.ask);
    let mut others = facts.calls.items.iter();
    others.any(|other| {
        let is_over = other.done().is_some_and(|reply| reply.entry < item.asked);
        let meets = other.asked < told && !is_over;
        meets && other.call != item.call && queue_of(other.ask) == queue
    })
}
