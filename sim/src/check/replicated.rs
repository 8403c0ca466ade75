//! What is acknowledged only when a replica has it survives a failover to that replica.

use russet_core::{LeaseId, TaskId};

use super::Violation;
use super::calls::{Item, Replied, lease_of, verb};
use super::facts::Facts;
use super::findings::Findings;
use super::names::member_id;
use super::timeline::{Moment, Timeline};
use crate::history::{Actor, Answer, Ask, What};

pub(super) const PROMISE: &str = "acknowledged-by-replica";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    if !facts.run.plan.acknowledged_by_replica {
        return findings.done();
    }
    for item in &facts.calls.items {
        let Some(replied) = item.done() else {
            continue;
        };
        for (act, task) in acknowledged(item, replied) {
            if let Some(undone) = lost(facts, task, replied.entry, |moment| act.is_in(moment)) {
                let what = format!(
                    "{} was told that its call to {} task {task} was done, and a failover undid it",
                    item.who,
                    verb(item.ask)
                );
                findings.add(what, &[undone, replied.entry]);
            }
        }
    }
    for (lease, grant) in &facts.calls.grants {
        let (task, act) = (grant.granted.task, Act::Grant(*lease));
        if let Some(undone) = lost(facts, task, grant.answered, |moment| act.is_in(moment)) {
            let what = format!(
                "{} was granted task {task}, and a failover undid it",
                grant.worker
            );
            findings.add(what, &[undone, grant.answered]);
        }
    }
    findings.done()
}

/// What somebody was told is done.
#[derive(Clone, Copy)]
enum Act {
    Submission,
    Grant(LeaseId),
    /// The lease was ended by whoever held it.
    End(LeaseId),
}

impl Act {
    fn is_in(self, moment: &Moment<'_>) -> bool {
        let granted = || moment.granted().map(|(_, lease)| lease);
        match self {
            Self::Submission => moment.created().is_some(),
            Self::Grant(own) => granted().is_some_and(|lease| lease.id == own),
            Self::End(own) => {
                let ended = moment.ended().map(|(lease, _)| lease.id);
                let unseen = moment.lost_sight_of().map(|lease| lease.id);
                let at_once = granted().filter(|lease| lease.ended.is_some());
                let ends = [ended, unseen, at_once.map(|lease| lease.id)];
                ends.contains(&Some(own))
            }
        }
    }
}

fn acknowledged(item: &Item<'_>, replied: Replied<'_>) -> Vec<(Act, TaskId)> {
    match (item.ask, replied.answer) {
        (Ask::Submit(_), Answer::Submitted { task: Some(id), .. }) => {
            vec![(Act::Submission, *id)]
        }
        (
            Ask::SubmitWorkflow(asked),
            Answer::Submitted {
                workflow: Some(id), ..
            },
        ) => {
            let members = (0..asked.tasks.len()).map(|at| member_id(*id, at));
            members.map(|task| (Act::Submission, task)).collect()
        }
        (Ask::Complete { task, .. } | Ask::Fail { task, .. }, Answer::Now { .. }) => {
            let lease = lease_of(item.ask);
            lease
                .map(|lease| (Act::End(lease), *task))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The commit of an act that was undone, when it was in no other one before the answer.
fn lost(
    facts: &Facts<'_>,
    task: TaskId,
    answered: usize,
    is_act: impl Fn(&Moment<'_>) -> bool,
) -> Option<usize> {
    let timeline = facts.tasks.get(&task)?;
    let undone = undone(facts, timeline);
    let acts = timeline.moments.iter().zip(undone);
    let acts = acts.filter(|(moment, _)| moment.entry < answered && is_act(moment));
    let acts: Vec<_> = acts.collect();
    let all = acts.iter().all(|(_, undone)| *undone);
    acts.last().filter(|_| all).map(|(moment, _)| moment.entry)
}

/// Of each commit whether the store went back to what was before it.
fn undone(facts: &Facts<'_>, timeline: &Timeline<'_>) -> Vec<bool> {
    let moments = &timeline.moments;
    let mut undone = vec![false; moments.len()];
    for (at, moment) in moments.iter().enumerate() {
        let went_back = matches!(&facts.run.entries[moment.entry].what,
            What::Stored(stored) if stored.by == Actor::Store);
        if !went_back {
            continue;
        }
        // Of several lives under one id, one is ended and the other made by the same going back.
        undone[at] = true;
        for before in (0..at).rev() {
            if moments[before].after == moment.after && !undone[before] {
                break;
            }
            undone[before] = true;
        }
    }
    undone
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn sample() -> Sample {
        let mut sample = Sample::new();
        sample.plan.acknowledged_by_replica = true;
        sample
    }

    #[test]
    fn what_no_failover_undid_is_as_it_was_told() {
        let mut sample = sample();
        sample.submitted(1).granted(1, 1).completed(1, 1);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_submission_that_was_acknowledged_and_undone_is_found() {
        let mut sample = sample();
        sample.submitted(1).go_back(1, None);
        assert!(sample.finds(check, "to submit task"));
    }

    #[test]
    fn a_grant_and_a_completion_that_were_acknowledged_and_undone_are_found() {
        let mut sample = sample();
        sample.submitted(1);
        let queued = sample.task(1);
        sample.granted(1, 1).go_back(1, Some(queued));
        assert!(sample.finds(check, "was granted task"));

        sample.granted(1, 2);
        let running = sample.task(1);
        sample.completed(1, 2).go_back(1, Some(running));
        assert!(sample.finds(check, "to complete task"));
    }

    #[test]
    fn what_was_undone_before_it_was_acknowledged_is_no_loss() {
        let mut sample = sample();
        sample.change(1, |_| {}).go_back(1, None).submitted(1);
        assert_eq!(sample.check(check), []);
    }
}
