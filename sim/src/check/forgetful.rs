//! What is promised of a store that has gone back to an earlier state of its own: no fencing
//! token is granted twice, in whichever of its pasts; and what it still knows reaches its end.

use std::collections::BTreeMap;

use russet_core::{LeaseId, TaskId};

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use crate::history::{Actor, Answer, What};

pub(super) const PROMISE: &str = "store-that-forgets";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let mut tokens = Tokens::default();
    for (id, moment) in facts.moments() {
        let returned = matches!(&facts.run.entries[moment.entry].what,
            What::Stored(stored) if stored.by == Actor::Store);
        if let Some((task, lease)) = moment.granted().filter(|_| !returned) {
            tokens.granted(id, task.attempt, lease.id, moment.entry, &mut findings);
        }
    }
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let What::Answered { answers, .. } = &entry.what else {
            continue;
        };
        for answer in answers {
            let Answer::Leased(grants) = answer else {
                continue;
            };
            for grant in grants {
                tokens.granted(
                    grant.task,
                    grant.attempt,
                    grant.lease,
                    position,
                    &mut findings,
                );
            }
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
struct Tokens(BTreeMap<(TaskId, u64), (LeaseId, usize)>);

impl Tokens {
    fn granted(
        &mut self,
        task: TaskId,
        token: u64,
        lease: LeaseId,
        entry: usize,
        findings: &mut Findings,
    ) {
        let (first, before) = *self.0.entry((task, token)).or_insert((lease, entry));
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
    fn what_is_still_known_must_end() {
        let mut sample = Sample::new();
        sample.submitted(1);
        assert!(sample.finds(check, "was still queued"));
    }
}
