use russet_core::{LeaseEnd, Status};

use super::super::sample::{Sample, extend, extended, id, lease};
use super::*;
use crate::history::Actor;

const WORKER: Actor = Actor::Worker(0);
const CLIENT: Actor = Actor::Client(0);

fn refused(code: &str) -> Answer {
    let status = if code == "not_found" { 404 } else { 409 };
    Answer::Refused {
        code: code.to_owned(),
        status,
    }
}

fn now(status: Status, attempt: u64) -> Answer {
    Answer::Now { status, attempt }
}

fn fail(l: u64) -> Ask {
    let kind = russet_core::ErrorKind::Failed;
    Ask::Fail {
        task: id(1),
        lease: lease(l),
        kind,
        retry_after_ms: None,
    }
}

fn redrive(request: &str) -> Ask {
    let request_id = Some(request.to_owned());
    Ask::Redrive {
        task: id(1),
        request_id,
        cancelled: false,
    }
}

fn running() -> Sample {
    let mut sample = Sample::new();
    sample.submitted(1).granted(1, 10);
    sample
}

#[test]
fn answers_that_the_rules_give_are_right() {
    let mut sample = running();
    sample.call(WORKER, extend(10), extended(false));
    sample.call(WORKER, extend(9), refused("stale_lease"));
    sample.call(CLIENT, Ask::Purge(id(1)), refused("wrong_status"));
    sample.call(CLIENT, Ask::Cancel(id(2)), refused("not_found"));
    let call = sample.ask(WORKER, fail(10));
    sample.retry(1, LeaseEnd::Failed, 1_000);
    sample.answer(call, now(Status::Scheduled, 1));
    sample.call(WORKER, fail(10), now(Status::Scheduled, 1));
    assert_eq!(sample.check(check), []);
}

#[test]
fn an_answer_may_be_that_of_any_moment_before_it() {
    let mut sample = running();
    let call = sample.ask(CLIENT, Ask::Purge(id(1)));
    sample
        .completed(1, 10)
        .answer(call, refused("wrong_status"));
    assert_eq!(sample.check(check), []);
}

#[test]
fn decisions_of_one_commit_are_seen_one_by_one() {
    let mut sample = running();
    let failure = sample.ask(WORKER, fail(10));
    let cancellation = sample.ask(CLIENT, Ask::Cancel(id(1)));
    sample.end(1, Status::Cancelled, LeaseEnd::Failed);
    sample.answer(failure, now(Status::Scheduled, 1));
    sample.answer(cancellation, now(Status::Cancelled, 1));
    assert_eq!(sample.check(check), []);
}

#[test]
fn every_answer_that_no_moment_explains_is_found() {
    let wrong = [
        (extend(9), extended(false)),
        (extend(10), refused("stale_lease")),
        (extend(10), extended(true)),
        (fail(9), now(Status::Scheduled, 1)),
        (fail(10), now(Status::Dead, 1)),
        (Ask::Cancel(id(1)), refused("not_found")),
        (Ask::Cancel(id(2)), now(Status::Cancelled, 0)),
        (Ask::Purge(id(1)), now(Status::Running, 1)),
        (redrive("a"), now(Status::Queued, 1)),
    ];
    for (ask, answer) in wrong {
        let mut sample = running();
        sample.call(WORKER, ask, answer);
        assert!(sample.finds(check, "and was told"));
    }
}

#[test]
fn what_is_said_to_be_done_is_done() {
    let mut sample = running();
    sample.call(WORKER, fail(10), now(Status::Scheduled, 1));
    assert!(sample.finds(check, "and it was not"));
    let mut sample = running();
    let existing = Answer::Submitted {
        task: Some(id(1)),
        workflow: None,
        existing: false,
    };
    sample.call(
        CLIENT,
        Ask::Submit(Box::new(super::super::sample::submit(1))),
        existing,
    );
    assert!(sample.finds(check, "is new, and it was not made then"));
}

#[test]
fn a_dead_task_can_be_redriven() {
    let mut sample = running();
    sample.end(1, Status::Dead, LeaseEnd::Failed);
    sample.call(CLIENT, redrive("a"), refused("wrong_status"));
    assert!(sample.finds(check, "was told wrong_status"));
}

#[test]
fn who_is_told_that_nothing_was_changed_has_changed_nothing() {
    let told = |code: &str| Answer::Refused {
        code: code.to_owned(),
        status: 503,
    };
    let submit = || Ask::Submit(Box::new(super::super::sample::submit(1)));
    for (code, is_wrong) in [("unavailable", true), ("indeterminate", false)] {
        let mut sample = Sample::new();
        let call = sample.ask(CLIENT, submit());
        sample.change(1, |_| {}).answer(call, told(code));
        assert_eq!(!sample.check(check).is_empty(), is_wrong, "{code}");
        let mut sample = Sample::new();
        let (lost, call) = (sample.ask(CLIENT, submit()), sample.ask(CLIENT, submit()));
        sample.change(1, |_| {}).answer(call, told(code));
        sample.answer(lost, Answer::Lost);
        assert_eq!(sample.check(check), [], "it was the first one");
    }
    for before in [Answer::Lost, told("indeterminate")] {
        let mut sample = Sample::new();
        sample.call(CLIENT, submit(), before);
        let call = sample.ask(CLIENT, submit());
        sample.change(1, |_| {}).answer(call, told("unavailable"));
        assert_eq!(
            sample.check(check),
            [],
            "it was the one before, which was under way"
        );
    }
    let mut sample = Sample::new();
    sample.call(CLIENT, submit(), told("unavailable"));
    sample.call(CLIENT, submit(), told("store_full"));
    sample.change(1, |_| {});
    assert!(!sample.check(check).is_empty(), "one of them did it, later");
}
