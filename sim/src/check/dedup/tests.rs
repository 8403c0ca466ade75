use russet_core::{Idempotency, IdempotencyKey, LeaseEnd, Millis, Status, Window};

use super::super::sample::{Sample, id, put, submit};
use super::*;
use crate::history::Actor;

fn keyed(sample: &mut Sample, n: u64, window: Window, answered: u64) {
    let mut asked = submit(n);
    asked.id = None;
    asked.idempotency_key = Some("hot".to_owned());
    let call = sample.ask(Actor::Client(0), Ask::Submit(Box::new(asked)));
    let key = IdempotencyKey::new("hot").expect("a key");
    if n == answered {
        sample.change(n, |task| {
            task.idempotency = Some(Box::new(Idempotency { key, window }))
        });
    }
    let (task, workflow) = (Some(id(answered)), None);
    let existing = n != answered;
    sample.answer(
        call,
        Answer::Submitted {
            task,
            workflow,
            existing,
        },
    );
}

const MINUTE: Window = Window::For(Millis::from_secs(60));

#[test]
fn a_key_names_one_task_within_its_window() {
    let mut sample = Sample::new();
    keyed(&mut sample, 1, MINUTE, 1);
    keyed(&mut sample, 2, MINUTE, 1);
    sample.at(70_000);
    keyed(&mut sample, 3, MINUTE, 3);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_key_does_not_name_two_tasks() {
    let mut sample = Sample::new();
    keyed(&mut sample, 1, MINUTE, 1);
    sample.at(30_000);
    keyed(&mut sample, 2, MINUTE, 2);
    assert!(sample.finds(check, "and now also"));
}

#[test]
fn a_key_names_a_task_while_it_lives() {
    let mut sample = Sample::new();
    keyed(&mut sample, 1, Window::WhileLive, 1);
    sample.start(1, 10).end(1, Status::Dead, LeaseEnd::Failed);
    keyed(&mut sample, 2, Window::WhileLive, 2);
    assert_eq!(sample.check(check), []);
    sample.change(1, |task| {
        task.status = Status::Queued;
        task.redriven_by = Some(1);
    });
    assert!(sample.finds(check, "and now also"));
}

#[test]
fn a_task_that_ended_as_it_was_submitted_leaves_its_key_to_another_in_the_same_commit() {
    let twice = |last: Status| {
        let mut sample = Sample::new();
        let (mut live, mut ended) = (sample.task(1), sample.task(2));
        for task in [&mut live, &mut ended] {
            let (key, window) = (IdempotencyKey::new("k").expect("a key"), Window::WhileLive);
            task.idempotency = Some(Box::new(Idempotency { key, window }));
        }
        ended.status = last;
        let stored = [live, ended].map(put);
        sample.commit(stored.into());
        sample
    };
    assert_eq!(twice(Status::Cancelled).check(check), []);
    assert!(twice(Status::Queued).finds(check, "and now also"));
}

#[test]
fn an_answer_names_what_the_key_names() {
    let mut sample = Sample::new();
    sample.submitted(7);
    keyed(&mut sample, 1, MINUTE, 1);
    keyed(&mut sample, 2, MINUTE, 7);
    assert!(sample.finds(check, "which it did not"));
}

#[test]
fn a_task_is_new_once() {
    let mut sample = Sample::new();
    sample.submitted(1);
    let (task, workflow) = (Some(id(1)), None);
    let answer = Answer::Submitted {
        task,
        workflow,
        existing: false,
    };
    sample.call(Actor::Client(1), Ask::Submit(Box::new(submit(1))), answer);
    assert!(sample.finds(check, "2 answers say"));
}

#[test]
fn a_repeated_request_is_not_another_one() {
    let mut sample = Sample::new();
    sample.submitted(1);
    let (code, status) = ("idempotency_conflict".to_owned(), 409);
    let refused = Answer::Refused { code, status };
    sample.call(
        Actor::Client(0),
        Ask::Submit(Box::new(submit(1))),
        refused.clone(),
    );
    assert!(sample.finds(check, "repeated a request"));
    let mut sample = Sample::new();
    sample.submitted(1);
    let mut other = submit(1);
    other.priority = Some(9);
    sample.call(Actor::Client(0), Ask::Submit(Box::new(other)), refused);
    assert_eq!(sample.check(check), []);
}
