//! What is promised of a store that has gone back to an earlier state of its own: no fencing
//! token is granted twice, in whichever of its pasts; and what it still knows reaches its end.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{LeaseId, TaskId};

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use crate::history::{Actor, Answer, What};

pub(super) const PROMISE: &str = "store-that-forgets";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut tokens = Tokens::default();
    let by_node = |entry: usize| {
        matches!(&facts.run.entries[entry].what,
            What::Stored(stored) if stored.by != Actor::Store)
    };
    for (id, moment) in facts.moments().filter(|(_, m)| by_node(m.entry)) {
        if moment.forgotten().is_some() {
            tokens.purged(id, moment.entry);
        }
        if let Some((task, lease)) = moment.granted() {
            tokens.granted(id, task.attempt, lease.id, moment.entry, &mut findings);
        }
    }
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let What::Answered { answers, .. } = &entry.what else {
            continue;
        };
        let leased = answers.iter().filter_map(|answer| match answer {
            Answer::Leased(grants) => Some(grants),
            _ => None,
        });
        for grant in leased.flatten() {
            if tokens.leases.contains(&grant.lease) {
                continue;
            }
            let (task, token) = (grant.task, grant.attempt);
            tokens.granted(task, token, grant.lease, position, &mut findings);
        }
    }
    for (id, timeline) in &facts.tasks {
        if let Some(task) = timeline.last().filter(|task| !task.status.is_terminal()) {
            let what = format!("task {id} was still {} when the run ended", task.status);
            findings.add(what, &[timeline.last_entry()]);
        }
    }
    findings.done()
}

/// The lease that each token was granted with, and where.
#[derive(Default)]
struct Tokens {
    granted: BTreeMap<(TaskId, usize, u64), (LeaseId, usize)>,
    leases: BTreeSet<LeaseId>,
    /// Where each task was purged: one that is submitted under its id again is another one.
    purged: BTreeMap<TaskId, Vec<usize>>,
}

impl Tokens {
    fn purged(&mut self, task: TaskId, entry: usize) {
        self.purged.entry(task).or_default().push(entry);
    }

    fn granted(
        &mut self,
        task: TaskId,
        token: u64,
        lease: LeaseId,
        entry: usize,
        findings: &mut Findings,
    ) {
        self.leases.insert(lease);
        let purges = self.purged.get(&task).map_or(&[][..], Vec::as_slice);
        let life = purges.partition_point(|purge| *purge <= entry);
        let place = self.granted.entry((task, life, token));
        let (first, before) = *place.or_insert((lease, entry));
        if first != lease {
            let what = format!("the fencing token {token} of task {task} was granted twice");
            findings.add(what, &[before, entry]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_token_of_one_lease_is_granted_once() {
        let mut sample = Sample::new();
        sample.submitted(1).granted(1, 1).completed(1, 1);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_token_that_is_granted_again_is_found() {
        let mut sample = Sample::new();
        sample.submitted(1);
        let before = sample.task(1);
        sample.granted(1, 1);
        sample
            .change(1, |task| *task = before)
            .granted(1, 2)
            .completed(1, 2);
        assert!(sample.finds(check, "was granted twice"));
    }

    #[test]
    fn a_task_that_is_submitted_again_after_its_purge_may_have_the_same_tokens() {
        let mut sample = Sample::new();
        for lease in [1, 2] {
            sample
                .submitted(1)
                .granted(1, lease)
                .completed(1, lease)
                .forget(1);
        }
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn what_is_still_known_must_end() {
        let mut sample = Sample::new();
        sample.submitted(1);
        assert!(sample.finds(check, "was still queued"));
    }
}
