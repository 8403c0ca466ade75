use russet_core::{Dependencies, DependencyOn, LeaseEnd, Millis, Status};

use super::super::sample::{Sample, id};
use super::*;

fn waits_for(task: &mut Task, parent: u64) {
    let (on, parent) = (DependencyOn::Success, id(parent));
    task.status = Status::Blocked;
    task.dependencies = Dependencies {
        pending: 1,
        total: 1,
        inline: [Dependency { task: parent, on }].into(),
    };
}

#[test]
fn a_task_starts_after_its_parent() {
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .submitted_as(2, |task| waits_for(task, 1));
    sample
        .granted(1, 10)
        .completed(1, 10)
        .queued(2)
        .granted(2, 11);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_task_does_not_start_before_its_parent_has_ended_well() {
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .submitted_as(2, |task| waits_for(task, 1));
    sample.granted(1, 10).granted(2, 11);
    assert!(sample.finds(check, "which it waits for, was running"));
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .submitted_as(2, |task| waits_for(task, 1));
    sample
        .granted(1, 10)
        .end(1, Status::Dead, LeaseEnd::Failed)
        .granted(2, 11);
    assert!(sample.finds(check, "which it waits for, was dead"));
}

#[test]
fn a_task_does_not_start_before_its_time() {
    let mut sample = Sample::new();
    sample.submitted_as(1, |task| {
        task.scheduled_at = Some(task.created_at + Millis::new(500))
    });
    sample.granted(1, 10);
    assert!(sample.finds(check, "before its scheduled_at"));
}

#[test]
fn a_task_waits_as_long_as_it_was_asked_to() {
    let mut sample = Sample::new();
    let mut asked = super::super::sample::submit(1);
    asked.delay_ms = Some(1_000);
    sample.ask(
        crate::history::Actor::Client(0),
        crate::history::Ask::Submit(Box::new(asked)),
    );
    sample.change(1, |_| {}).granted(1, 10);
    assert!(sample.finds(check, "before its delay was over"));
}

#[test]
fn tasks_that_wait_for_each_other_are_not_accepted() {
    let mut sample = Sample::new();
    sample.submitted_as(1, |task| waits_for(task, 2));
    sample.submitted_as(2, |task| waits_for(task, 1));
    assert!(sample.finds(check, "tasks wait for each other"));
}

#[test]
fn a_parent_is_kept_while_a_child_is_live() {
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .submitted_as(2, |task| waits_for(task, 1));
    sample.granted(1, 10).completed(1, 10).forget(1);
    assert!(sample.finds(check, "was forgotten while task"));
}

#[test]
fn a_task_that_is_redriven_waits_for_its_parent_once_more() {
    let revive = |sample: &mut Sample, n: u64, status: Status| {
        sample.change(n, |task| {
            task.status = status;
            task.redriven_by = Some(1);
        });
    };
    let mut sample = Sample::new();
    sample.submitted(1).submitted_as(2, |task| {
        waits_for(task, 1);
        task.dependencies.inline[0].on = DependencyOn::Completion;
    });
    sample.granted(1, 10).end(1, Status::Dead, LeaseEnd::Failed);
    sample.change(2, |task| task.status = Status::Dead);
    revive(&mut sample, 1, Status::Queued);
    sample.at(60_000);
    revive(&mut sample, 2, Status::Queued);
    sample.granted(2, 11);
    assert!(sample.finds(check, "which it waits for, was queued"));
}
