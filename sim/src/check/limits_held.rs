//! Concurrency limits are never exceeded, at any instant, whatever crashes.

use std::collections::{BTreeMap, HashMap};

use russet_core::{PartitionId, QueueName, QueueRecord, Record, RecordKey, Task};

use super::Violation;
use super::facts::{Commit, Facts};
use super::findings::Findings;
use super::mirror::task;
use super::timeline::{Moment, held};
use crate::history::At;

pub(super) const PROMISE: &str = "limits-held";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut slots = Slots::default();
    for commit in &facts.commits {
        slots.commit(commit, &mut findings);
    }
    findings.done()
}

/// How long a grant may be on its way from its decision to the store. One that was decided
/// before a queue was limited or paused counts as running before.
const DECIDED_BEFORE_MS: u64 = 10_000;

type Place<'a> = (PartitionId, &'a QueueName);

/// The slots that are taken, counted from the tasks.
#[derive(Default)]
struct Slots<'a> {
    taken: HashMap<Place<'a>, u32>,
    queues: HashMap<Place<'a>, &'a QueueRecord>,
    /// When a queue's limit, or that it is paused, was changed last.
    changed: HashMap<Place<'a>, At>,
}

/// What a commit did to one queue.
#[derive(Default)]
struct Touched<'a> {
    /// Tasks that were granted: with a slot or without.
    with_slot: u32,
    without: Option<&'a Task>,
    /// The queue's record before.
    before: Option<&'a QueueRecord>,
}

impl<'a> Slots<'a> {
    fn commit(&mut self, commit: &Commit<'a>, findings: &mut Findings) {
        let mut touched: BTreeMap<Place<'a>, Touched<'a>> = BTreeMap::new();
        for change in &commit.stored.changes {
            let partition = commit.stored.partition;
            if let RecordKey::Queue(name) = &change.key {
                self.touch(&mut touched, (partition, name));
                let after = match &change.after {
                    Some(Record::Queue(record)) => Some(record.as_ref()),
                    _ => None,
                };
                // A store that goes back may have no record any more.
                let before = match after {
                    Some(record) => self.queues.insert((partition, name), record),
                    None => self.queues.remove(&(partition, name)),
                };
                let slots = |known: &QueueRecord| known.config.slots();
                if before.map(slots) != after.map(slots) {
                    self.changed.insert((partition, name), commit.at);
                }
            }
        }
        for change in &commit.stored.changes {
            let RecordKey::Task(_) = change.key else {
                continue;
            };
            let moment = Moment {
                entry: commit.entry,
                at: commit.at,
                before: task(change.before.as_ref()),
                after: task(change.after.as_ref()),
            };
            self.task(commit, &mut touched, &moment, findings);
        }
        for (place, touched) in &touched {
            self.judge(commit, *place, touched, findings);
        }
    }

    fn touch<'t>(
        &self,
        touched: &'t mut BTreeMap<Place<'a>, Touched<'a>>,
        place: Place<'a>,
    ) -> &'t mut Touched<'a> {
        touched.entry(place).or_insert_with(|| Touched {
            before: self.queues.get(&place).copied(),
            ..Touched::default()
        })
    }

    fn task(
        &mut self,
        commit: &Commit<'a>,
        touched: &mut BTreeMap<Place<'a>, Touched<'a>>,
        moment: &Moment<'a>,
        findings: &mut Findings,
    ) {
        let (had, has) = (
            moment.before.is_some_and(has_slot),
            moment.after.is_some_and(has_slot),
        );
        let granted = moment.granted().filter(|(task, _)| held(task).is_some());
        let Some(known) = moment
            .after
            .or(moment.before)
            .filter(|_| had || has || granted.is_some())
        else {
            return;
        };
        let place = (commit.stored.partition, &known.queue);
        let touched = self.touch(touched, place);
        match granted {
            Some((_, lease)) if lease.slot => touched.with_slot += 1,
            Some((task, _)) => touched.without = Some(task),
            None => {}
        }
        if has && held(known).is_none() {
            let what = format!(
                "task {} does not run and keeps a slot of {}",
                known.id, known.queue
            );
            findings.add(what, &[commit.entry]);
        }
        let taken = self.taken.entry(place).or_default();
        *taken = (*taken + u32::from(has)).saturating_sub(u32::from(had));
    }

    fn judge(
        &self,
        commit: &Commit<'_>,
        place: Place<'a>,
        touched: &Touched<'a>,
        findings: &mut Findings,
    ) {
        let taken = self.taken.get(&place).copied().unwrap_or(0);
        let after = self.queues.get(&place).copied();
        let (partition, queue) = (place.0.0, place.1);
        let said = after.map_or(0, |record| record.running);
        if said != taken {
            let what = format!(
                "{queue} in partition {partition} says that {said} slots are taken, and {taken} are"
            );
            findings.add(what, &[commit.entry]);
        }
        // A limit that changes in the same commit may be the one before or the one after.
        let limits =
            [touched.before, after].map(|record| record.and_then(|r| r.config.concurrency));
        let paused = [touched.before, after].map(|record| record.is_some_and(|r| r.config.paused));
        let most = limits[0].zip(limits[1]).map(|(a, b)| a.max(b));
        if let Some(limit) = most.filter(|limit| touched.with_slot > 0 && taken > *limit) {
            let what = format!(
                "{taken} tasks of {queue} run in partition {partition}, and its limit is {limit}"
            );
            findings.add(what, &[commit.entry]);
        }
        let changed = self.changed.get(&place).copied().unwrap_or_default();
        if commit.at.millis() < changed.millis() + DECIDED_BEFORE_MS {
            return;
        }
        if let (Some(task), Some(limit)) = (touched.without, most) {
            let what = format!(
                "task {} was granted beside the limit of {queue}, {limit}",
                task.id
            );
            findings.add(what, &[commit.entry]);
        }
        if paused == [true, true] && (touched.with_slot > 0 || touched.without.is_some()) {
            findings.add(
                format!("a task of {queue} was granted while it was paused"),
                &[commit.entry],
            );
        }
    }
}

fn has_slot(task: &Task) -> bool {
    task.lease.as_ref().is_some_and(|lease| lease.slot)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use russet_core::{Lease, QueueConfig, Status, WorkerId};

    use super::super::sample::{Sample, lease, put, queue};
    use super::*;

    fn limited(
        sample: &Sample,
        running: u32,
        limit: u32,
        paused: bool,
    ) -> (RecordKey, Option<Record>) {
        let record = QueueRecord {
            name: queue(),
            config: QueueConfig {
                concurrency: Some(limit),
                paused,
                ..QueueConfig::default()
            },
            running,
            updated_at: sample.clock(),
        };
        (
            RecordKey::Queue(queue()),
            Some(Record::Queue(Arc::new(record))),
        )
    }

    fn running(sample: &Sample, n: u64, slot: bool) -> (RecordKey, Option<Record>) {
        let mut task = sample.task(n);
        task.status = Status::Running;
        task.attempt += 1;
        task.lease = Some(Box::new(Lease {
            id: lease(n),
            worker: WorkerId("worker-0".into()),
            expires_at: sample.clock(),
            deadline: None,
            slot,
            ended: None,
        }));
        put(task)
    }

    fn two_queued() -> Sample {
        let mut sample = Sample::new();
        sample.submitted(1).submitted(2);
        let limit = limited(&sample, 0, 1, false);
        sample.commit(vec![limit]);
        sample
    }

    #[test]
    fn as_many_run_as_may() {
        let mut sample = two_queued();
        sample.commit(vec![
            running(&sample, 1, true),
            limited(&sample, 1, 1, false),
        ]);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn no_more_run_than_may() {
        let mut sample = two_queued();
        sample.commit(vec![
            running(&sample, 1, true),
            limited(&sample, 1, 1, false),
        ]);
        sample.commit(vec![
            running(&sample, 2, true),
            limited(&sample, 2, 1, false),
        ]);
        assert!(sample.finds(check, "2 tasks of queue-0 run"));
    }

    #[test]
    fn the_count_is_that_of_the_tasks() {
        let mut sample = two_queued();
        sample.commit(vec![
            running(&sample, 1, true),
            limited(&sample, 0, 1, false),
        ]);
        assert!(sample.finds(check, "says that 0 slots are taken, and 1 are"));
    }

    #[test]
    fn nothing_starts_beside_a_limit_or_in_a_paused_queue() {
        let mut sample = two_queued();
        sample.at(20_000);
        sample.commit(vec![running(&sample, 1, false)]);
        assert!(sample.finds(check, "beside the limit"));
        let mut sample = two_queued();
        sample.commit(vec![limited(&sample, 0, 1, true)]);
        sample.at(20_000);
        sample.commit(vec![
            running(&sample, 1, true),
            limited(&sample, 1, 1, true),
        ]);
        assert!(sample.finds(check, "while it was paused"));
    }
}
