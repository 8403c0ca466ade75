use std::sync::Arc;

use russet_core::{LeaseEnd, Record, RecordKey};

use super::*;
use crate::check::reference;
use crate::check::sample::{PARTITION, Sample, id};
use crate::history::{Actor, CallId};

fn workflow() -> WorkflowId {
    WorkflowId::from(id(1))
}

/// A workflow of a task that waits to be leased, and one that runs.
fn live() -> Sample {
    let mut sample = Sample::new();
    let record = Record::Workflow(Arc::new(sample.failed_workflow()));
    let key = RecordKey::Workflow(workflow());
    sample.commit_in(PARTITION, vec![(key, Some(record))]);
    for n in [1, 2] {
        sample.change(n, |task| task.workflow = Some(workflow()));
    }
    sample.start(2, 20);
    sample
}

fn ask(sample: &mut Sample) -> CallId {
    sample.ask(Actor::Client(0), Ask::CancelWorkflow(workflow()))
}

fn told(cancelled: u64, asked: u64) -> Answer {
    Answer::WorkflowCancelled { cancelled, asked }
}

fn cancel(task: &mut Task) {
    task.status = Status::Cancelled;
}

fn request(task: &mut Task) {
    task.cancel_requested = true;
}

/// The workflow is cancelled, and both of its tasks are.
fn cancelled() -> Sample {
    let mut sample = live();
    let call = ask(&mut sample);
    sample.change(1, cancel).change(2, request);
    sample.answer(call, told(1, 1));
    sample
}

#[test]
fn what_waits_is_cancelled_and_who_runs_is_asked_to_stop() {
    assert_eq!(cancelled().check(reference::check), []);
    let mut sample = cancelled();
    let call = ask(&mut sample);
    sample.answer(call, told(0, 1));
    assert_eq!(sample.check(reference::check), []);
}

#[test]
fn nothing_is_left_out() {
    let changes: [fn(&mut Sample); 2] = [
        |sample| {
            sample.change(1, cancel);
        },
        |sample| {
            sample.change(2, request);
        },
    ];
    for change in changes {
        let mut sample = live();
        let call = ask(&mut sample);
        change(&mut sample);
        sample.answer(call, told(0, 0));
        assert!(sample.finds(reference::check, "was left out"));
    }
}

#[test]
fn what_comes_or_comes_back_meanwhile_may_go_on() {
    let mut sample = cancelled();
    let call = ask(&mut sample);
    sample.change(1, |task| {
        task.status = Status::Queued;
        task.redriven_by = Some(7);
    });
    sample.change(3, |task| task.workflow = Some(workflow()));
    sample.answer(call, told(0, 1));
    assert_eq!(sample.check(reference::check), []);
}

#[test]
fn what_has_ended_or_is_purged_needs_no_cancel() {
    let mut sample = live();
    sample.change(1, |task| task.status = Status::Dead);
    sample.end(2, Status::Succeeded, LeaseEnd::Completed);
    let call = ask(&mut sample);
    sample.forget(1).answer(call, told(0, 0));
    assert_eq!(sample.check(reference::check), []);
}

#[test]
fn who_was_asked_to_stop_may_finish_and_starts_no_more() {
    for (status, end) in [
        (Status::Succeeded, LeaseEnd::Completed),
        (Status::Cancelled, LeaseEnd::Expired),
    ] {
        let mut sample = cancelled();
        sample.end(2, status, end);
        assert_eq!(sample.check(reference::check), []);
    }
    let mut sample = cancelled();
    sample.retry(2, LeaseEnd::Failed, 100);
    assert!(sample.finds(
        reference::check,
        "was asked to stop, and then it was scheduled"
    ));
    let mut sample = cancelled();
    sample.start(2, 21);
    assert!(sample.finds(reference::check, "then it was running at attempt 2"));
}

#[test]
fn no_more_tasks_are_said_to_stop_than_there_are() {
    for (answer, words) in [
        (told(2, 1), "2 tasks are cancelled, and there are 1"),
        (told(1, 2), "2 tasks are asked to stop, and there are 1"),
    ] {
        let mut sample = live();
        let call = ask(&mut sample);
        sample.change(1, cancel).change(2, request);
        sample.answer(call, answer);
        assert!(sample.finds(reference::check, words));
    }
}

#[test]
fn a_workflow_that_is_there_is_not_refused() {
    let refused = |status: u16, code: &str| Answer::Refused {
        code: code.to_owned(),
        status,
    };
    for (status, code) in [(404, "not_found"), (413, "too_large")] {
        let mut sample = live();
        let call = ask(&mut sample);
        sample.answer(call, refused(status, code));
        assert!(sample.finds(reference::check, "was refused as"));
    }
    let mut sample = Sample::new();
    let call = ask(&mut sample);
    sample.answer(call, refused(404, "not_found"));
    assert_eq!(sample.check(reference::check), []);
}
