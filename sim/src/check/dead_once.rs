//! What fails for good is dead-lettered once, kept with its error, and can be redriven.

use std::collections::BTreeMap;

use russet_core::{ErrorKind, EventKind, LeaseEnd, Status, Task, TaskId};

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use super::timeline::Moment;
use crate::history::{Ask, What};

pub(super) const PROMISE: &str = "dead-once";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut deaths: BTreeMap<TaskId, usize> = BTreeMap::new();
    for (id, moment) in facts.moments() {
        if may_have_died(moment) {
            *deaths.entry(id).or_default() += 1;
        }
        let Some(after) = moment.after else {
            continue;
        };
        if moment.finished().is_some() && after.status == Status::Dead && after.last_error.is_none()
        {
            findings.add(
                format!("task {id} died and nobody knows why"),
                &[moment.entry],
            );
        }
        if let Some(before) = moment.before {
            kept(id, moment, before, after, &mut findings);
            failed_for_good(facts, id, moment, before, after, &mut findings);
        }
    }
    told(facts, &deaths, &mut findings);
    findings.done()
}

/// Whether a task died in a commit, perhaps to be redriven or forgotten in the same one.
fn may_have_died(moment: &Moment<'_>) -> bool {
    let was_live = moment.before.is_none_or(|task| !task.status.is_terminal());
    let redriven = moment.redriven().is_some();
    match moment.after {
        Some(after) if after.status == Status::Dead => was_live || redriven,
        Some(_) => was_live && redriven,
        None => was_live,
    }
}

/// Nothing about a death changes while the task is dead.
fn kept(id: TaskId, moment: &Moment<'_>, before: &Task, after: &Task, findings: &mut Findings) {
    let stays = before.status == Status::Dead
        && after.status == Status::Dead
        && moment.redriven().is_none();
    let same = before.last_error == after.last_error && before.completed_at == after.completed_at;
    if stays && !same {
        findings.add(
            format!("task {id} was dead and died again"),
            &[moment.entry],
        );
    }
}

/// A failure that nothing can follow is a death.
fn failed_for_good(
    facts: &Facts<'_>,
    id: TaskId,
    moment: &Moment<'_>,
    before: &Task,
    after: &Task,
    findings: &mut Findings,
) {
    let Some((lease, end)) = moment.ended() else {
        return;
    };
    let counted = matches!(end, LeaseEnd::Failed | LeaseEnd::Expired);
    if !counted || moment.redriven().is_some() || after.status == Status::Dead {
        return;
    }
    let cancelled = after.status == Status::Cancelled;
    let used_up = before.retry_count >= before.retry.max_retries;
    let reports = facts
        .calls
        .of_lease(lease.id)
        .filter_map(|item| match item.ask {
            Ask::Fail { kind, .. } if item.asked < moment.entry => Some(*kind),
            _ => None,
        });
    let reports: Vec<_> = reports.collect();
    let is_final = end == LeaseEnd::Failed
        && !reports.is_empty()
        && reports.iter().all(|kind| *kind == ErrorKind::Final);
    if (used_up || is_final) && !cancelled {
        let what = format!("task {id} failed for good and became {}", after.status);
        findings.add(what, &[moment.entry]);
    }
}

/// Nobody is told of more deaths than there were. A task that was submitted, ended and purged in
/// one commit was never stored: its death is known from what was told alone.
fn told(facts: &Facts<'_>, deaths: &BTreeMap<TaskId, usize>, findings: &mut Findings) {
    let mut told: BTreeMap<TaskId, Vec<usize>> = BTreeMap::new();
    let (mut submitted, mut unseen) = (BTreeMap::new(), BTreeMap::<_, usize>::new());
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let What::Told { node, event } = &entry.what else {
            continue;
        };
        let (id, decided) = (event.task, (node, event.at));
        match event.kind {
            EventKind::DeadLettered => told.entry(id).or_default().push(position),
            EventKind::Submitted => drop(submitted.insert(id, decided)),
            EventKind::Purged if submitted.get(&id) == Some(&decided) => {
                *unseen.entry(id).or_default() += 1;
            }
            _ => {}
        }
    }
    for (id, entries) in told {
        let count = |of: &BTreeMap<TaskId, usize>| of.get(&id).copied().unwrap_or(0);
        let died = count(deaths) + count(&unseen);
        if entries.len() > died {
            let what = format!(
                "task {id} died {died} times and was dead-lettered {} times",
                entries.len()
            );
            findings.add(what, &entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use russet_core::Event;

    use super::super::sample::{Sample, id, lease, queue};
    use super::*;
    use crate::history::Actor;

    fn tell(sample: &mut Sample) {
        tell_of(sample, EventKind::DeadLettered);
    }

    fn tell_of(sample: &mut Sample, kind: EventKind) {
        let event = Box::new(Event {
            at: sample.clock(),
            task: id(1),
            queue: queue(),
            workflow: None,
            attempt: 1,
            kind,
            reason: None,
        });
        let node = Actor::Node(0);
        sample.write(What::Told { node, event });
    }

    fn dead() -> Sample {
        let mut sample = Sample::new();
        sample.submitted_as(1, |task| task.retry.max_retries = 0);
        sample.granted(1, 10).end(1, Status::Dead, LeaseEnd::Failed);
        sample
    }

    #[test]
    fn a_death_is_told_once() {
        let mut sample = dead();
        tell(&mut sample);
        assert_eq!(sample.check(check), []);
        tell(&mut sample);
        assert!(sample.finds(check, "dead-lettered 2 times"));
    }

    #[test]
    fn a_task_that_is_submitted_dies_and_is_purged_in_one_commit_was_never_stored() {
        let life = [
            EventKind::Submitted,
            EventKind::DeadLettered,
            EventKind::Purged,
        ];
        let mut sample = Sample::new();
        life.iter().for_each(|kind| tell_of(&mut sample, *kind));
        assert_eq!(sample.check(check), []);
        let mut sample = Sample::new();
        life[..2]
            .iter()
            .for_each(|kind| tell_of(&mut sample, *kind));
        assert!(sample.finds(check, "died 0 times"));
    }

    #[test]
    fn a_death_is_kept_with_its_error() {
        let mut sample = dead();
        sample.change(1, |task| task.last_error = None);
        assert!(sample.finds(check, "died again"));
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .change(1, |task| task.status = Status::Dead);
        assert!(sample.finds(check, "nobody knows why"));
    }

    #[test]
    fn a_task_without_retries_does_not_try_again() {
        let mut sample = Sample::new();
        sample.submitted_as(1, |task| task.retry.max_retries = 0);
        sample.granted(1, 10).retry(1, LeaseEnd::Failed, 0);
        assert!(sample.finds(check, "failed for good"));
    }

    #[test]
    fn a_final_failure_is_a_death() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10);
        let (task, lease) = (id(1), lease(10));
        let ask = Ask::Fail {
            task,
            lease,
            kind: ErrorKind::Final,
            retry_after_ms: None,
        };
        sample.ask(Actor::Worker(0), ask);
        sample.retry(1, LeaseEnd::Failed, 1_000);
        assert!(sample.finds(check, "failed for good"));
    }
}
