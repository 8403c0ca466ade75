use super::super::sample::{Sample, id, lease};
use super::*;
use crate::history::Actor;

#[test]
fn what_was_asked_for_is_no_ghost() {
    let mut sample = Sample::new();
    sample.submitted(1).granted(1, 10).completed(1, 10);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_task_that_nobody_asked_for_is_a_ghost() {
    let mut sample = Sample::new();
    sample.change(1, |_| {});
    assert!(sample.finds(check, "nobody asked for it"));
}

#[test]
fn a_task_that_is_not_what_was_asked_for_is_a_ghost() {
    let mut sample = Sample::new();
    sample.submitted_as(1, |task| task.retry.max_retries = 7);
    assert!(sample.finds(check, "is not what was asked for"));
}

#[test]
fn a_handler_begins_only_what_the_store_granted() {
    let mut sample = Sample::new();
    sample.submitted(1);
    let (worker, task) = (Actor::Worker(0), id(1));
    sample.write(What::Began {
        worker,
        task,
        attempt: 1,
        lease: lease(10),
    });
    assert!(sample.finds(check, "never granted"));
}

#[test]
fn a_task_does_not_come_back_to_life_by_itself() {
    let revived = |cancelled: bool| {
        let mut sample = Sample::new();
        sample.submitted(1);
        sample.ask(Actor::Client(0), Ask::Cancel(id(1)));
        sample.change(1, |task| task.status = Status::Cancelled);
        let request_id = Some("again".to_owned());
        let ask = Ask::Redrive {
            task: id(1),
            request_id,
            cancelled,
        };
        sample.ask(Actor::Client(0), ask);
        sample.change(1, |task| {
            task.status = Status::Queued;
            task.redriven_by = Some(redrive_number("again"));
        });
        sample
    };
    assert_eq!(revived(true).check(check), []);
    assert!(revived(false).finds(check, "nobody asked for what had been cancelled"));
    let mut sample = revived(true);
    sample.change(1, |task| task.redriven_by = Some(7));
    assert!(sample.finds(check, "nobody asked for that"));
}

#[test]
fn who_cancels_a_workflow_asks_for_the_end_of_its_tasks() {
    let cancelled = |workflow| {
        let mut sample = Sample::new();
        let own = WorkflowId::from(id(1));
        sample.submitted_as(1, |task| task.workflow = Some(own));
        sample.ask(Actor::Client(0), Ask::CancelWorkflow(workflow));
        sample.change(1, |task| task.status = Status::Cancelled);
        sample
    };
    let words = "nobody asked for that";
    let found = |n| {
        let found = cancelled(WorkflowId::from(id(n))).check(check);
        found.iter().any(|violation| violation.what.contains(words))
    };
    assert_eq!([found(1), found(2)], [false, true]);
}

#[test]
fn a_task_does_not_end_by_itself() {
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .granted(1, 10)
        .end(1, Status::Succeeded, LeaseEnd::Completed);
    assert!(sample.finds(check, "never said so"));
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .change(1, |task| task.status = Status::Cancelled);
    assert!(sample.finds(check, "nobody asked for that"));
}
