//! Cancels of a workflow.

use russet_core::{LeaseEnd, WorkflowId};

use super::*;

fn workflow() -> WorkflowId {
    WorkflowId::from(id(1))
}

fn cancelled(cancelled: u64, asked: u64) -> Answer {
    Answer::WorkflowCancelled { cancelled, asked }
}

fn cancel(task: &mut Task) {
    task.status = Status::Cancelled;
}

fn request(task: &mut Task) {
    task.cancel_requested = true;
}

/// Tasks 1 and 2 are of a workflow, and 2 runs.
fn live() -> Sample {
    let mut sample = sample();
    for n in [1, 2] {
        sample.submitted_as(n, |task| task.workflow = Some(workflow()));
    }
    sample.granted(2, 20);
    sample
}

const FOUND: &str = "was done (cancel workflow), and a failover undid it for task";

#[test]
fn a_cancel_of_a_workflow_that_was_acknowledged_and_undone_is_found_at_any_task() {
    for n in [1, 2] {
        let mut sample = live();
        let before = sample.task(n);
        let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
        sample.change(1, cancel).change(2, request);
        sample.answer(call, cancelled(1, 1));
        assert_eq!(sample.check(check), []);
        sample.go_back(n, Some(before));
        assert!(sample.finds(check, FOUND));
    }
}

#[test]
fn a_cancel_that_is_sent_again_is_only_as_good_as_what_it_finds() {
    let mut sample = live();
    let before = sample.task(1);
    let first = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).change(2, request);
    sample.answer(first, Answer::Lost);
    sample.call(CLIENT, Ask::CancelWorkflow(workflow()), cancelled(0, 0));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, FOUND));
}

#[test]
fn an_end_that_the_cancel_relied_on_is_looked_for_too() {
    let mut sample = live();
    let running = sample.task(2);
    // Nobody but the cancel was told of it.
    sample.end(2, Status::Succeeded, LeaseEnd::Completed);
    let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).answer(call, cancelled(1, 0));
    assert_eq!(sample.check(check), []);
    sample.go_back(2, Some(running));
    assert!(sample.finds(check, FOUND));
}

#[test]
fn what_is_done_again_after_the_failover_is_no_loss() {
    let mut sample = live();
    let before = sample.task(1);
    let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).go_back(1, Some(before));
    sample.change(1, cancel).change(2, request);
    sample.answer(call, cancelled(1, 1));
    assert_eq!(sample.check(check), []);
}

#[test]
fn how_a_task_ended_is_another_matter() {
    let mut sample = live();
    let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).change(2, request);
    sample.answer(call, cancelled(1, 1));
    let (ended, requested) = (sample.task(1), sample.task(2));
    sample
        .forget(1)
        .end(2, Status::Cancelled, LeaseEnd::Expired);
    // Nobody was told of that.
    sample.go_back(1, Some(ended)).go_back(2, Some(requested));
    sample.completed(2, 20);
    assert_eq!(sample.check(check), []);
}

#[test]
fn tasks_that_come_later_and_those_of_others_are_not_meant() {
    let mut sample = live();
    let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).change(2, request);
    sample.answer(call, cancelled(1, 1));
    for (n, of) in [(3, Some(workflow())), (4, None)] {
        sample.change(n, |task| task.workflow = of);
        sample.change(n, cancel).go_back(n, None);
    }
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_task_may_come_back_to_life_in_the_commit_that_stands() {
    let mut sample = live();
    let before = sample.task(1);
    let call = sample.ask(CLIENT, Ask::CancelWorkflow(workflow()));
    sample.change(1, cancel).go_back(1, Some(before));
    sample.change(1, |task| task.redriven_by = Some(7));
    sample.change(2, request).answer(call, cancelled(1, 1));
    assert_eq!(sample.check(check), []);
}
