mod cancels;
mod commands;
mod queues;
mod redrives;

use std::sync::Arc;

use russet_core::{Record, RecordKey, Status, Task};

use super::super::sample::{PARTITION, Sample, id};
use super::*;
use crate::history::{Actor, CallId};

const CLIENT: Actor = Actor::Client(0);

fn sample() -> Sample {
    let mut sample = Sample::new();
    sample.plan.acknowledged_by_replica = true;
    sample
}

fn now(status: Status, attempt: u64) -> Answer {
    Answer::Now { status, attempt }
}

/// A client asks, and the task 1 changes; what the task was before.
fn asked(sample: &mut Sample, ask: Ask, change: impl FnOnce(&mut Task)) -> (CallId, Task) {
    let (call, before) = (sample.ask(CLIENT, ask), sample.task(1));
    sample.change(1, change);
    (call, before)
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
fn a_submission_that_found_its_task_there_is_as_good_as_the_task() {
    let mut sample = sample();
    let again = || Ask::Submit(Box::new(super::super::sample::submit(1)));
    let there = || Answer::Submitted {
        task: Some(id(1)),
        workflow: None,
        existing: true,
    };
    sample.submitted(1);
    let queued = sample.task(1);
    sample.start(1, 7).call(CLIENT, again(), there());
    sample.go_back(1, Some(queued));
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_workflow_whose_acceptance_was_undone_is_found() {
    let mut sample = sample();
    let workflow = sample.failed_workflow();
    let (id, key) = (workflow.id, RecordKey::Workflow(workflow.id));
    let ask = Ask::SubmitWorkflow(Box::default());
    let call = sample.ask(CLIENT, ask);
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
    assert!(sample.finds(check, "a failover undid it for workflow"));
}
