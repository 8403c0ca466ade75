//! Redrives: of a task, of all that is dead in a queue, of a workflow.

use russet_core::WorkflowId;

use super::*;
use crate::history::redrive_number;

fn redrive() -> Ask {
    Ask::Redrive {
        task: id(1),
        request_id: Some("again".to_owned()),
        cancelled: false,
    }
}

fn redrive_all() -> Ask {
    Ask::RedriveAll {
        queue: Some("queue-0".to_owned()),
        request_id: Some("again".to_owned()),
    }
}

fn redrive_workflow() -> Ask {
    Ask::RedriveWorkflow {
        workflow: WorkflowId::from(id(1)),
        request_id: Some("again".to_owned()),
        cancelled: false,
    }
}

fn workflow_redriven(redriven: u64) -> Answer {
    Answer::WorkflowRedriven {
        redriven,
        refused: 0,
        refusals: Vec::new(),
    }
}

/// The task lives again, by the redrive of this name.
fn revive(request: &str) -> impl Fn(&mut Task) + Copy {
    let number = redrive_number(request);
    move |task| {
        task.status = Status::Queued;
        task.redriven_by = Some(number);
    }
}

/// Tasks 1 and 2 are dead; they are of a workflow.
fn dead() -> Sample {
    let mut sample = sample();
    for n in [1, 2] {
        let dies = |task: &mut Task| task.status = Status::Dead;
        let is_member = |task: &mut Task| task.workflow = Some(WorkflowId::from(id(1)));
        sample.submitted_as(n, is_member).change(n, dies);
    }
    sample
}

#[test]
fn a_redrive_that_was_acknowledged_and_undone_is_found() {
    let mut sample = dead();
    let (call, before) = asked(&mut sample, redrive(), revive("again"));
    sample.answer(call, now(Status::Queued, 0));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (redrive)"));
}

#[test]
fn what_becomes_of_a_new_life_is_another_matter() {
    let mut sample = dead();
    let (call, _) = asked(&mut sample, redrive(), revive("again"));
    sample.answer(call, now(Status::Queued, 0));
    let revived = sample.task(1);
    // Nobody was told of what is undone.
    sample.change(1, |task| task.status = Status::Dead);
    sample.change(1, revive("once more"));
    sample.go_back(1, Some(revived)).forget(1);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_redrive_may_share_the_commit_that_stands_with_another_one() {
    let mut sample = dead();
    let (call, before) = asked(&mut sample, redrive(), revive("again"));
    sample.go_back(1, Some(before)).change(1, revive("other"));
    sample.answer(call, now(Status::Queued, 0));
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_redrive_of_many_is_found_when_fewer_live_again_than_were_told_of() {
    for (ask, answer) in [
        (redrive_all(), Answer::Redriven(2)),
        (redrive_workflow(), workflow_redriven(2)),
    ] {
        let mut sample = dead();
        let before = sample.task(2);
        let (call, _) = asked(&mut sample, ask, revive("again"));
        sample.change(2, revive("again")).answer(call, answer);
        assert_eq!(sample.check(check), []);
        sample.go_back(2, Some(before));
        assert!(sample.finds(check, "a failover undid it for task"));
    }
}

#[test]
fn a_redrive_of_many_answers_only_for_as_many_as_it_told_of() {
    for (ask, answer) in [
        (redrive_all(), Answer::Redriven(1)),
        (redrive_workflow(), workflow_redriven(1)),
    ] {
        let mut sample = dead();
        let before = sample.task(2);
        let (call, _) = asked(&mut sample, ask, revive("again"));
        sample.change(2, revive("again")).go_back(2, Some(before));
        sample.answer(call, answer);
        assert_eq!(sample.check(check), []);
    }
}

#[test]
fn a_redrive_that_is_sent_again_is_only_as_good_as_what_it_finds() {
    let mut sample = dead();
    let before = sample.task(1);
    sample.change(1, revive("again"));
    sample.call(CLIENT, redrive_workflow(), workflow_redriven(1));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (redrive workflow)"));
}
