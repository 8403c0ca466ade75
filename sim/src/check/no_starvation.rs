//! A ready task starts before any task that became ready more than `9 * aging_ms` after it, in
//! its lane and partition.

use std::collections::{BTreeMap, HashMap};

use russet_core::{Lane, PartitionId, QueueName, Status, Task, TaskId};

use super::Violation;
use super::facts::{Commit, Facts};
use super::findings::Findings;
use super::mirror::task;
use crate::history::{At, What};
use crate::plan::AGING;

pub(super) const PROMISE: &str = "no-starvation";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    if facts.run.plan.split {
        // A queue beside the store may lose, repeat and reorder: there it is best effort.
        return findings.done();
    }
    let mut lanes = Lanes {
        facts,
        ready: HashMap::new(),
        lane_of: HashMap::new(),
        hidden: HashMap::new(),
    };
    let mut commits = facts.commits.iter();
    for (position, entry) in facts.run.entries.iter().enumerate() {
        match &entry.what {
            What::Stored(_) => commits.next().into_iter().for_each(|c| lanes.commit(c)),
            What::Hidden {
                tasks,
                until,
                delivered,
            } => {
                lanes
                    .hidden
                    .extend(tasks.iter().map(|task| (*task, *until)));
                if *delivered {
                    lanes.delivered(tasks, entry.at, position, &mut findings);
                }
            }
            _ => {}
        }
    }
    findings.done()
}

/// Ready tasks by when they became ready, with the entry that made them so.
type Waiting = BTreeMap<(u64, TaskId), usize>;

/// The tasks that are ready, by lane, the oldest first.
struct Lanes<'f, 'a> {
    facts: &'f Facts<'a>,
    ready: HashMap<(PartitionId, Lane), Waiting>,
    lane_of: HashMap<TaskId, (Lane, u64)>,
    hidden: HashMap<TaskId, At>,
}

impl Lanes<'_, '_> {
    fn commit(&mut self, commit: &Commit<'_>) {
        let partition = commit.stored.partition;
        for change in &commit.stored.changes {
            let (before, after) = (task(change.before.as_ref()), task(change.after.as_ref()));
            if let Some((task, ready_at)) = before.zip(place(before)) {
                let own = self.ready.entry((partition, lane(task))).or_default();
                own.remove(&(ready_at, task.id));
                self.lane_of.remove(&task.id);
            }
            if let Some((task, ready_at)) = after.zip(place(after)) {
                let own = self.ready.entry((partition, lane(task))).or_default();
                own.insert((ready_at, task.id), commit.entry);
                self.lane_of.insert(task.id, (lane(task), ready_at));
            }
        }
    }

    /// The queue gave `tasks` to a node: none may have overtaken one that was there to be
    /// given, and had waited for much longer.
    fn delivered(&self, tasks: &[TaskId], at: At, position: usize, findings: &mut Findings) {
        for task in tasks {
            let Some((lane, ready_at)) = self.lane_of.get(task) else {
                continue;
            };
            let partition = task.partition();
            let bound = 9 * self.aging_ms(partition, &lane.queue);
            let waiting = self.ready.get(&(partition, lane.clone()));
            let older = waiting.into_iter().flatten();
            let overtaken = older
                .take_while(|((since, _), _)| since + bound < *ready_at)
                .find(|((_, other), _)| self.is_seen(*other, at));
            if let Some(((since, other), entry)) = overtaken {
                let what = format!(
                    "task {task} was delivered although task {other} of its lane had been ready for {} ms longer",
                    ready_at - since
                );
                findings.add(what, &[*entry, position]);
            }
        }
    }

    fn is_seen(&self, task: TaskId, at: At) -> bool {
        self.hidden.get(&task).is_none_or(|until| *until < at)
    }

    /// The longest aging that the queue had.
    fn aging_ms(&self, partition: PartitionId, queue: &QueueName) -> u64 {
        let moments = self
            .facts
            .queues
            .get(&(partition, queue))
            .into_iter()
            .flatten();
        let records = moments.filter_map(|moment| moment.after);
        let agings = records.map(|record| record.config.aging.as_millis());
        agings.fold(AGING.as_millis(), u64::max)
    }
}

fn lane(task: &Task) -> Lane {
    Lane {
        queue: task.queue.clone(),
        resources: task.resources.clone(),
    }
}

/// Since when a queued task has been ready.
fn place(task: Option<&Task>) -> Option<u64> {
    let queued = task.filter(|task| task.status == Status::Queued)?;
    Some(queued.ready_at?.as_millis())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, id};
    use super::*;

    fn delivered(sample: &mut Sample, numbers: &[u64]) {
        let tasks = numbers.iter().map(|n| id(*n)).collect();
        let (until, delivered) = (At(u64::MAX), true);
        sample.write(What::Hidden {
            tasks,
            until,
            delivered,
        });
    }

    #[test]
    fn an_urgent_task_may_overtake_for_a_while() {
        let mut sample = Sample::new();
        sample.submitted(1).at(5_000).submitted(2);
        delivered(&mut sample, &[2]);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn no_task_overtakes_for_ever() {
        let mut sample = Sample::new();
        sample.submitted(1).at(15_000).submitted(2);
        delivered(&mut sample, &[2]);
        assert!(sample.finds(check, "had been ready for"));
    }

    #[test]
    fn what_is_delivered_together_or_hidden_is_not_overtaken() {
        let mut sample = Sample::new();
        sample.submitted(1).at(15_000).submitted(2);
        delivered(&mut sample, &[2, 1]);
        sample.at(30_000).submitted(3);
        delivered(&mut sample, &[3]);
        assert_eq!(sample.check(check), []);
    }
}
