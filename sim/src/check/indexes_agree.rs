//! Counters and indexes equal what the records say.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{
    End, PartitionId, QueueName, Record, RecordKey, Status, TaskId, TimerKey, Timestamp, Workflow,
    WorkflowId, entries,
};
use russet_engine::Due;

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use super::mirror::Mirror;
use crate::history::{Look, What};

pub(super) const PROMISE: &str = "indexes-agree";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut mirror = Mirror::default();
    for (position, entry) in facts.run.entries.iter().enumerate() {
        match &entry.what {
            What::Stored(stored) => mirror.apply(stored),
            What::Looked(look) => {
                records(position, &mirror, look, &mut findings);
                let expected = Expected::of(&mirror);
                expected.listings(position, look, &mut findings);
                expected.counters(position, look, &mut findings);
                expected.timers(position, look, &mut findings);
                expected.workflows(position, &mut findings);
            }
            _ => {}
        }
    }
    findings.done()
}

fn records<'a>(position: usize, mirror: &Mirror<'a>, look: &'a Look, findings: &mut Findings) {
    for ((partition, key), found) in &look.records {
        let known = mirror.get(*partition, key);
        let wrong = match (known, found) {
            (None, Some(_)) => "is there and should be gone",
            (Some(_), None) => "is gone and should be there",
            (Some(known), Some(found)) if known != found => "is not as it was stored",
            _ => continue,
        };
        findings.add(
            format!("{key:?} of partition {} {wrong}", partition.0),
            &[position],
        );
    }
}

type ByStatus = [u64; Status::ALL.len()];

/// What indexes and counters should say.
#[derive(Default)]
struct Expected<'a> {
    all: Vec<TaskId>,
    by_status: BTreeMap<(&'a QueueName, Status), Vec<TaskId>>,
    by_workflow: BTreeMap<WorkflowId, Vec<TaskId>>,
    timers: BTreeMap<PartitionId, Vec<Due>>,
    ready: BTreeMap<&'a QueueName, u64>,
    ready_since: BTreeMap<&'a QueueName, BTreeSet<Timestamp>>,
    /// Counted from the states of the tasks themselves.
    counts: BTreeMap<&'a QueueName, ByStatus>,
    workflow_counts: BTreeMap<WorkflowId, ByStatus>,
    not_needed: BTreeMap<WorkflowId, u32>,
    workflows: Vec<&'a Workflow>,
}

impl<'a> Expected<'a> {
    fn of(mirror: &Mirror<'a>) -> Self {
        let mut expected = Self::default();
        for ((partition, key), record) in mirror.sorted() {
            expected.add(partition, key, record);
        }
        expected.all.sort_unstable();
        expected
            .timers
            .values_mut()
            .for_each(|timers| timers.sort_unstable());
        expected
    }

    fn add(&mut self, partition: PartitionId, key: &'a RecordKey, record: &'a Record) {
        let own = entries(record);
        let timer = match key {
            RecordKey::Task(id) => Some(TimerKey::Task(*id)),
            RecordKey::Outbox(id) => Some(TimerKey::Outbox(*id)),
            RecordKey::Workflow(id) => Some(TimerKey::Workflow(*id)),
            _ => None,
        };
        if let Some((at, timer)) = own.timer.zip(timer) {
            self.timers
                .entry(partition)
                .or_default()
                .push(Due { at, timer });
        }
        if let Record::Workflow(workflow) = record {
            self.workflows.push(workflow);
        }
        let Record::Task(task) = record else {
            return;
        };
        if let Some(listed) = own.listed {
            self.all.push(task.id);
            let place = (listed.queue, listed.status);
            self.by_status.entry(place).or_default().push(task.id);
            if let Some(workflow) = listed.workflow {
                self.by_workflow.entry(workflow).or_default().push(task.id);
            }
        }
        if own.ready.is_some() {
            *self.ready.entry(&task.queue).or_default() += 1;
            self.ready_since
                .entry(&task.queue)
                .or_default()
                .extend(task.ready_at);
        }
        self.counts.entry(&task.queue).or_default()[task.status as usize] += 1;
        if let Some(workflow) = task.workflow {
            self.workflow_counts.entry(workflow).or_default()[task.status as usize] += 1;
            let not_needed = task.end() == Some(End::NotNeeded);
            *self.not_needed.entry(workflow).or_default() += u32::from(not_needed);
        }
    }

    fn listings(&self, position: usize, look: &Look, findings: &mut Findings) {
        same_tasks(
            "the list of all tasks",
            &self.all,
            &look.all,
            position,
            findings,
        );
        let mut places: BTreeSet<_> = self.by_status.keys().copied().collect();
        places.extend(
            look.by_status
                .keys()
                .map(|(queue, status)| (queue, *status)),
        );
        for (queue, status) in places {
            let place = (queue.clone(), status);
            let known = self
                .by_status
                .get(&(queue, status))
                .map_or(&[][..], Vec::as_slice);
            let found = look.by_status.get(&place).map_or(&[][..], Vec::as_slice);
            same_tasks(
                &format!("the list of {status} tasks of {queue}"),
                known,
                found,
                position,
                findings,
            );
        }
        for (workflow, found) in &look.by_workflow {
            let known = self
                .by_workflow
                .get(workflow)
                .map_or(&[][..], Vec::as_slice);
            same_tasks(
                &format!("the list of workflow {workflow}"),
                known,
                found,
                position,
                findings,
            );
        }
    }

    fn counters(&self, position: usize, look: &Look, findings: &mut Findings) {
        let mut missing: BTreeSet<&QueueName> = self.counts.keys().copied().collect();
        for queue in &look.stats.queues {
            missing.remove(&queue.queue);
            let name = &queue.queue;
            let known = self.counts.get(name).copied().unwrap_or_default();
            if known != queue.by_status {
                let what = format!(
                    "the counters of {name} say {:?}, and its tasks are {known:?}",
                    queue.by_status
                );
                findings.add(what, &[position]);
            }
            let since = self.ready_since.get(name);
            let is_known = |at| since.is_some_and(|since| since.contains(&at));
            if queue.oldest_ready_at.is_some_and(|at| !is_known(at)) {
                let what = format!(
                    "no task of {name} has been ready since {:?}",
                    queue.oldest_ready_at
                );
                findings.add(what, &[position]);
            }
        }
        if let Some(name) = missing.first() {
            findings.add(
                format!("there are no counters of {name}, which has tasks"),
                &[position],
            );
        }
        let Some(ready) = &look.ready else {
            return;
        };
        for (name, found) in ready {
            let known = self.ready.get(name).copied().unwrap_or(0);
            if known != *found {
                let what =
                    format!("{found} tasks of {name} can be delivered, and {known} are ready");
                findings.add(what, &[position]);
            }
        }
    }

    fn timers(&self, position: usize, look: &Look, findings: &mut Findings) {
        for (partition, found) in &look.timers {
            let known = self.timers.get(partition).map_or(&[][..], Vec::as_slice);
            if !found.is_sorted_by_key(|due| due.at) {
                let what = format!(
                    "timers of partition {} are not the earliest first",
                    partition.0
                );
                findings.add(what, &[position]);
            }
            let mut found = found.clone();
            found.sort_unstable();
            if known == found {
                continue;
            }
            let missing = known.iter().find(|due| found.binary_search(due).is_err());
            let extra = found.iter().find(|due| known.binary_search(due).is_err());
            let what = match (missing, extra) {
                (Some(due), _) => {
                    format!("the timer of {:?} at {:?} is missing", due.timer, due.at)
                }
                (None, Some(due)) => format!(
                    "{:?} has a timer at {:?} that is not its own",
                    due.timer, due.at
                ),
                (None, None) => format!("a timer of partition {} is there twice", partition.0),
            };
            findings.add(what, &[position]);
        }
    }

    fn workflows(&self, position: usize, findings: &mut Findings) {
        for workflow in &self.workflows {
            let states = self
                .workflow_counts
                .get(&workflow.id)
                .copied()
                .unwrap_or_default();
            let ended = Status::ALL.iter().filter(|status| status.is_terminal());
            let ended: u64 = ended.map(|status| states[*status as usize]).sum();
            let live = states.iter().sum::<u64>() - ended;
            let counted = workflow.succeeded + workflow.dead + workflow.cancelled;
            let known = u64::from(counted - workflow.purged.min(counted));
            // What stands behind a closed gate is not all there yet, or is being removed.
            if workflow.is_accepted() && (known, u64::from(workflow.live())) != (ended, live) {
                let what = format!(
                    "workflow {} says that {known} kept tasks have ended and {} are live; {ended} have and {live} are",
                    workflow.id,
                    workflow.live()
                );
                findings.add(what, &[position]);
            }
            self.not_needed(workflow, position, findings);
        }
    }

    /// Those that are no longer kept stay counted.
    fn not_needed(&self, workflow: &Workflow, position: usize, findings: &mut Findings) {
        let kept = self.not_needed.get(&workflow.id).copied().unwrap_or(0);
        let said = workflow.not_needed;
        if said < kept || said > kept + workflow.purged || said > workflow.cancelled {
            let what = format!(
                "workflow {} says that {said} tasks were not needed; {kept} of those that are kept were not",
                workflow.id
            );
            findings.add(what, &[position]);
        }
    }
}

/// A listing has each task once, oldest first.
fn same_tasks(
    which: &str,
    known: &[TaskId],
    found: &[TaskId],
    position: usize,
    findings: &mut Findings,
) {
    let is_sorted = found.is_sorted();
    let (mut known, mut found) = (known.to_vec(), found.to_vec());
    known.sort_unstable();
    found.sort_unstable();
    if known != found {
        let missing = known.iter().find(|id| found.binary_search(id).is_err());
        let extra = found.iter().find(|id| known.binary_search(id).is_err());
        let wrong = match (missing, extra) {
            (Some(id), _) => format!("lacks task {id}"),
            (None, Some(id)) => format!("has task {id}, which does not belong there"),
            (None, None) => "has a task twice".to_owned(),
        };
        findings.add(format!("{which} {wrong}"), &[position]);
    } else if !is_sorted {
        findings.add(format!("{which} is not the oldest first"), &[position]);
    }
}

#[cfg(test)]
mod tests;
