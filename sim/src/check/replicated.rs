//! What is acknowledged only when a replica has it survives a failover to that replica.

use russet_core::{LeaseId, TaskId, Workflow, WorkflowId};

use super::Violation;
use super::calls::{Item, Replied, lease_of, verb};
use super::facts::Facts;
use super::findings::Findings;
use super::names::member_id;
use super::timeline::Moment;
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
        if let Answer::Submitted {
            workflow: Some(id), ..
        } = replied.answer
            && let Some(undone) = unaccepted(facts, *id, replied.entry)
        {
            let what = format!(
                "{} was told that workflow {id} is accepted, and a failover undid it",
                item.who
            );
            findings.add(what, &[undone, replied.entry]);
        }
        for (act, task) in acknowledged(item, replied) {
            if let Some(undone) = lost(facts, task, act, replied.entry) {
                let what = format!(
                    "{} was told that its call was done ({}), and a failover undid it for task {task}",
                    item.who,
                    verb(item.ask)
                );
                findings.add(what, &[undone, replied.entry]);
            }
        }
    }
    for (lease, grant) in &facts.calls.grants {
        let (task, act) = (grant.granted.task, Act::Grant(*lease));
        if let Some(undone) = lost(facts, task, act, grant.answered) {
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
        (
            Ask::Complete { task, .. } | Ask::Fail { task, .. } | Ask::Release { task, .. },
            Answer::Now { .. },
        ) => {
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
fn lost(facts: &Facts<'_>, task: TaskId, act: Act, answered: usize) -> Option<usize> {
    let moments = &facts.tasks.get(&task)?.moments;
    let states = moments.iter().map(|moment| (moment.entry, moment.after));
    let undone = undone(facts, &states.collect::<Vec<_>>());
    let acts = moments.iter().zip(undone);
    let acts = acts.filter(|(moment, _)| moment.entry < answered && act.is_in(moment));
    only_undone(acts.map(|(moment, undone)| (moment.entry, undone)))
}

/// The commit that accepted a workflow, when it was undone and no other one before the answer
/// did.
fn unaccepted(facts: &Facts<'_>, workflow: WorkflowId, answered: usize) -> Option<usize> {
    let moments = facts.workflows.get(&workflow)?;
    let states = moments.iter().map(|moment| (moment.entry, moment.after));
    let states: Vec<_> = states.collect();
    let is_accepted = |state: Option<&Workflow>| state.is_some_and(Workflow::is_accepted);
    let before = std::iter::once(None).chain(states.iter().map(|(_, after)| *after));
    let accepts = states.iter().zip(before).map(|((entry, after), before)| {
        *entry < answered && is_accepted(*after) && !is_accepted(before)
    });
    let acts = accepts.zip(states.iter().zip(undone(facts, &states)));
    let acts = acts.filter(|(accepts, _)| *accepts);
    only_undone(acts.map(|(_, ((entry, _), undone))| (*entry, undone)))
}

/// The last of some commits, when all of them were undone.
fn only_undone(acts: impl Iterator<Item = (usize, bool)>) -> Option<usize> {
    let acts: Vec<_> = acts.collect();
    let last = acts.last().map(|(entry, _)| *entry);
    last.filter(|_| acts.iter().all(|(_, undone)| *undone))
}

/// Of each commit to one record, with what the record was after it, whether the store went back
/// to what was before. Going back is no act of anybody, though it may look like one.
fn undone<T: PartialEq>(facts: &Facts<'_>, states: &[(usize, Option<&T>)]) -> Vec<bool> {
    let mut undone = vec![false; states.len()];
    for (at, (entry, after)) in states.iter().enumerate() {
        let went_back = matches!(&facts.run.entries[*entry].what,
            What::Stored(stored) if stored.by == Actor::Store);
        if !went_back {
            continue;
        }
        undone[at] = true;
        for before in (0..at).rev() {
            if states[before].1 == *after && !undone[before] {
                break;
            }
            undone[before] = true;
        }
    }
    undone
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use russet_core::{Record, RecordKey};

    use super::super::sample::{PARTITION, Sample};
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
        assert!(sample.finds(check, "was done (submit)"));
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
        assert!(sample.finds(check, "was done (complete)"));
    }

    #[test]
    fn what_was_undone_before_it_was_acknowledged_is_no_loss() {
        let mut sample = sample();
        sample.change(1, |_| {}).go_back(1, None).submitted(1);
        assert_eq!(sample.check(check), []);
    }
    #[test]
    fn what_was_done_before_the_failover_or_again_after_it_is_no_loss() {
        let mut sample = sample();
        sample.submitted(1);
        let queued = sample.task(1);
        for lease in [7, 8] {
            // Nobody was told of the grant.
            sample.start(1, lease).go_back(1, Some(queued.clone()));
        }
        sample.granted(1, 9).completed(1, 9);
        assert_eq!(sample.check(check), []);
    }

    #[test]
    fn a_workflow_whose_acceptance_was_undone_is_found() {
        let mut sample = sample();
        let workflow = sample.failed_workflow();
        let (id, key) = (workflow.id, RecordKey::Workflow(workflow.id));
        let ask = Ask::SubmitWorkflow(Box::default());
        let call = sample.ask(Actor::Client(0), ask);
        let record = Record::Workflow(Arc::new(workflow));
        sample.commit(vec![(key.clone(), Some(record))]);
        let accepted = Answer::Submitted {
            task: None,
            workflow: Some(id),
            existing: false,
        };
        sample.answer(call, accepted);
        assert_eq!(sample.check(check), []);
        sample.stored(PARTITION, Actor::Store, vec![(key, None)]);
        assert!(sample.finds(check, "is accepted, and a failover undid it"));
    }
}
