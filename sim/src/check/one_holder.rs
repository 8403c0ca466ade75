//! Of all attempts of a task at most one completion is accepted, and only from the newest
//! fencing token; tokens never repeat or fall.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{Epoch, LeaseEnd, LeaseId, Status, Task, TaskId};

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use super::timeline::{Moment, Timeline};
use crate::history::{Answer, Ask, What};

pub(super) const PROMISE: &str = "one-holder";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut leases = BTreeMap::new();
    let told = told_twice(facts);
    for (id, timeline) in &facts.tasks {
        one(*id, timeline, &mut leases, &told, &mut findings);
        accepted(facts, *id, timeline, &mut findings);
    }
    findings.done()
}

/// Leases that were handed out with more than one token.
fn told_twice(facts: &Facts<'_>) -> BTreeSet<LeaseId> {
    let (mut first, mut twice) = (BTreeMap::new(), BTreeSet::new());
    for entry in facts.run.entries {
        let What::Answered { answers, .. } = &entry.what else {
            continue;
        };
        let grants = answers.iter().filter_map(|answer| match answer {
            Answer::Leased(grants) => Some(grants),
            _ => None,
        });
        for grant in grants.flatten() {
            let token = (grant.task, grant.attempt);
            if *first.entry(grant.lease).or_insert(token) != token {
                twice.insert(grant.lease);
            }
        }
    }
    twice
}

fn one(
    id: TaskId,
    timeline: &Timeline<'_>,
    leases: &mut BTreeMap<LeaseId, (TaskId, usize)>,
    told: &BTreeSet<LeaseId>,
    findings: &mut Findings,
) {
    for moment in &timeline.moments {
        if moment.after.is_none() {
            continue;
        }
        step(id, moment, findings);
        // A node that never learnt of its grant may be granted the same task again, with a new
        // token: nobody else has heard of the lease.
        if let Some((_, lease)) = moment.granted()
            && let Some((other, entry)) = leases.insert(lease.id, (id, moment.entry))
            && (other != id || told.contains(&lease.id))
        {
            let what = format!("a lease of task {other} was granted again, of task {id}");
            findings.add(what, &[entry, moment.entry]);
        }
    }
}

/// What one commit may do to a task's token and its lease.
pub(super) fn step(id: TaskId, moment: &Moment<'_>, findings: &mut Findings) {
    let Some(after) = moment.after else {
        return;
    };
    token(id, moment, after, findings);
    if let Some(before) = moment.before {
        left(id, moment, before, after, findings);
        overtaken(id, moment, before, after, findings);
    }
}

/// The token grows by one with every grant, or to the first one of a later epoch, and never
/// otherwise.
fn token(id: TaskId, moment: &Moment<'_>, after: &Task, findings: &mut Findings) {
    let before = moment.before.map_or(0, |task| task.attempt);
    let grants = u64::from(moment.granted().is_some());
    let first_of_epoch = after.attempt % Epoch::ATTEMPTS == 1 && after.attempt > before;
    let right = after.attempt == before + grants || (grants == 1 && first_of_epoch);
    if !right {
        let what = format!(
            "the fencing token of task {id} went from {before} to {} with {grants} grants",
            after.attempt
        );
        findings.add(what, &[moment.entry]);
    }
}

/// Nothing but a redrive leaves a terminal state, and it only leaves those of failure.
fn left(id: TaskId, moment: &Moment<'_>, before: &Task, after: &Task, findings: &mut Findings) {
    if !before.status.is_terminal() || before.status == after.status {
        return;
    }
    let redriven = moment.redriven().is_some() && before.status != Status::Succeeded;
    if !redriven {
        let what = format!(
            "task {id} had ended as {} and became {}",
            before.status, after.status
        );
        findings.add(what, &[moment.entry]);
    }
}

/// A lease that ended stays as it ended, and only the newest one completes.
fn overtaken(
    id: TaskId,
    moment: &Moment<'_>,
    before: &Task,
    after: &Task,
    findings: &mut Findings,
) {
    let (Some(old), Some(new)) = (before.lease.as_deref(), after.lease.as_deref()) else {
        if before.lease.is_some() {
            findings.add(format!("task {id} forgot its lease"), &[moment.entry]);
        }
        return;
    };
    if old.id == new.id && old.ended.is_some() && old.ended != new.ended {
        let what = format!(
            "a lease of task {id} had ended as {:?} and became {:?}",
            old.ended, new.ended
        );
        findings.add(what, &[moment.entry]);
    }
    let completed = after.status == Status::Succeeded;
    if completed != (new.ended == Some(LeaseEnd::Completed)) {
        let what = format!(
            "task {id} is {} and its newest lease ended as {:?}",
            after.status, new.ended
        );
        findings.add(what, &[moment.entry]);
    }
}

/// All completions that were accepted came from the same lease. Another task under the same id is
/// completed by itself.
fn accepted(facts: &Facts<'_>, id: TaskId, timeline: &Timeline<'_>, findings: &mut Findings) {
    let done = facts.calls.of_task(id).filter_map(|item| {
        let Ask::Complete { lease, .. } = item.ask else {
            return None;
        };
        let replied = item.done()?;
        let succeeded = matches!(
            replied.answer,
            Answer::Now {
                status: Status::Succeeded,
                ..
            }
        );
        succeeded.then_some((*lease, replied.entry))
    });
    let mut first: Vec<(LeaseId, usize)> = Vec::new();
    for (lease, entry) in done {
        if first.iter().any(|(known, _)| *known == lease) {
            continue;
        }
        let of = |lease| granted_to(timeline, lease);
        if let Some((_, earlier)) = first.iter().find(|(known, _)| of(*known) == of(lease)) {
            let what = format!("two completions of task {id} were accepted, from different leases");
            findings.add(what, &[*earlier, entry]);
        }
        first.push((lease, entry));
    }
}

/// The entry that made the task that the lease was granted of.
fn granted_to(timeline: &Timeline<'_>, lease: LeaseId) -> Option<usize> {
    let mut made = None;
    for moment in &timeline.moments {
        if moment.created().is_some() {
            made = Some(moment.entry);
        }
        if moment.granted().is_some_and(|(_, own)| own.id == lease) {
            return made;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, id, lease};
    use super::*;
    use crate::history::Actor;

    #[test]
    fn attempts_one_after_the_other_have_one_holder_each() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Expired, 1_000);
        sample.at(2_000).queued(1).granted(1, 11).completed(1, 11);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_token_never_falls_or_jumps() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .change(1, |task| task.attempt = 0);
        assert!(sample.finds(check, "went from 1 to 0"));
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .change(1, |task| task.attempt = 3);
        assert!(sample.finds(check, "went from 1 to 3"));
    }

    #[test]
    fn a_lease_is_granted_once() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .submitted(2)
            .granted(1, 10)
            .granted(2, 10);
        assert!(sample.finds(check, "granted again"));
    }

    #[test]
    fn what_has_succeeded_stays() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 10).completed(1, 10);
        sample.change(1, |task| {
            task.status = Status::Queued;
            task.redriven_by = Some(1);
        });
        assert!(sample.finds(check, "had ended as succeeded"));
    }

    #[test]
    fn the_dead_rise_only_by_a_redrive() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .end(1, Status::Dead, LeaseEnd::Failed);
        sample.change(1, |task| {
            task.status = Status::Queued;
            task.redriven_by = Some(1);
        });
        assert_eq!(sample.check(check), []);
        sample.end(1, Status::Dead, LeaseEnd::Failed).queued(1);
        assert!(sample.finds(check, "had ended as dead"));
    }

    #[test]
    fn one_completion_is_accepted() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .retry(1, LeaseEnd::Expired, 0)
            .queued(1);
        sample.granted(1, 11).completed(1, 11);
        let again = Ask::Complete {
            task: id(1),
            lease: lease(10),
            follow_ups: Vec::new(),
        };
        let done = Answer::Now {
            status: Status::Succeeded,
            attempt: 2,
        };
        sample.call(Actor::Worker(1), again, done);
        assert!(sample.finds(check, "two completions"));
    }
}
