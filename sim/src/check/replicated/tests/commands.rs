//! Cancellations, purges and heartbeats.

use bytes::Bytes;
use russet::wire::{Json, ProgressReport};
use russet_core::{LeaseEnd, Millis, Progress};

use super::super::super::sample::{lease, submit};
use super::*;

const WORKER: Actor = Actor::Worker(0);

fn cancel(task: &mut Task) {
    task.status = Status::Cancelled;
}

fn request(task: &mut Task) {
    task.cancel_requested = true;
}

/// A task that runs, with the lease 10 in its attempt 1.
fn running() -> Sample {
    let mut sample = sample();
    sample.submitted(1).granted(1, 10);
    sample
}

#[test]
fn a_cancellation_that_was_acknowledged_and_undone_is_found() {
    let mut sample = sample();
    sample.submitted(1);
    let (call, before) = asked(&mut sample, Ask::Cancel(id(1)), cancel);
    sample.answer(call, now(Status::Cancelled, 0));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (cancel)"));
}

#[test]
fn a_request_to_stop_that_was_acknowledged_and_undone_is_found() {
    let mut sample = running();
    let (call, before) = asked(&mut sample, Ask::Cancel(id(1)), request);
    sample.answer(call, now(Status::Running, 1));
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (cancel)"));
}

#[test]
fn a_task_that_was_asked_to_stop_may_complete_all_the_same() {
    let mut sample = running();
    let (call, _) = asked(&mut sample, Ask::Cancel(id(1)), request);
    sample.answer(call, now(Status::Running, 1));
    let requested = sample.task(1);
    sample.start(1, 10).go_back(1, Some(requested));
    sample.completed(1, 10).forget(1);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_cancellation_may_be_followed_by_more_in_the_commit_that_stands() {
    let followed: [fn(&mut Sample); 3] = [
        |sample| {
            sample.change(1, |task| task.redriven_by = Some(7));
        },
        |sample| {
            sample.forget(1);
        },
        |sample| {
            sample.start(1, 10);
        },
    ];
    for (n, follow) in followed.into_iter().enumerate() {
        let mut sample = sample();
        sample.submitted(1);
        let (call, before) = asked(&mut sample, Ask::Cancel(id(1)), cancel);
        sample.go_back(1, Some(before));
        follow(&mut sample);
        sample.answer(call, now(Status::Cancelled, 0));
        // A grant is nothing that could hide it.
        assert_eq!(sample.check(check).is_empty(), n < 2);
    }
}

#[test]
fn a_request_to_stop_may_be_heeded_in_the_commit_that_stands() {
    let mut sample = running();
    let (call, before) = asked(&mut sample, Ask::Cancel(id(1)), request);
    sample.go_back(1, Some(before));
    sample.end(1, Status::Cancelled, LeaseEnd::Failed);
    sample.answer(call, now(Status::Running, 1));
    assert_eq!(sample.check(check), []);
}

#[test]
fn what_was_cancelled_before_stays_so_whatever_was_undone_since() {
    let mut sample = sample();
    sample.submitted(1).change(1, cancel);
    let cancelled = sample.task(1);
    sample.change(1, |task| task.purge_at = None);
    sample.call(CLIENT, Ask::Cancel(id(1)), now(Status::Cancelled, 0));
    sample.go_back(1, Some(cancelled));
    assert_eq!(sample.check(check), []);
}

/// A task that has ended, and is kept for long.
fn ended() -> Sample {
    let mut sample = running();
    sample.completed(1, 10);
    sample.change(1, |task| {
        task.purge_at = Some(task.updated_at + Millis::from_days(1));
    });
    sample
}

#[test]
fn a_purge_that_was_acknowledged_and_undone_is_found() {
    let mut sample = ended();
    let (call, before) = (sample.ask(CLIENT, Ask::Purge(id(1))), sample.task(1));
    sample.forget(1).answer(call, now(Status::Succeeded, 1));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (purge)"));
}

#[test]
fn a_purge_that_was_only_to_be_done_soon_and_was_undone_is_found() {
    let mut sample = ended();
    let over = |task: &mut Task| task.purge_at = Some(task.updated_at);
    let (call, before) = asked(&mut sample, Ask::Purge(id(1)), over);
    sample.answer(call, now(Status::Succeeded, 1));
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (purge)"));
}

#[test]
fn a_task_whose_retention_was_over_anyway_needs_no_purge() {
    let mut sample = ended();
    sample.change(1, |task| task.purge_at = Some(task.updated_at));
    let (call, before) = (sample.ask(CLIENT, Ask::Purge(id(1))), sample.task(1));
    sample.forget(1).answer(call, now(Status::Succeeded, 1));
    sample.go_back(1, Some(before)).forget(1);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_task_that_was_purged_may_be_submitted_anew_and_that_may_be_undone() {
    let mut sample = ended();
    let call = sample.ask(CLIENT, Ask::Purge(id(1)));
    sample.forget(1).answer(call, now(Status::Succeeded, 1));
    sample.change(1, |_| {}).go_back(1, None);
    assert_eq!(sample.check(check), []);
}

/// The holder of the lease 10 says that it has done so much.
fn heartbeat(percent: u8) -> Ask {
    let report = ProgressReport {
        percent: Some(percent),
        message: None,
        checkpoint: Json::new(&percent).ok(),
    };
    Ask::Extend {
        task: id(1),
        lease: lease(10),
        lease_ms: None,
        progress: Some(report),
    }
}

/// It has done so much, and its lease lasts a second longer.
fn beat(percent: u8) -> impl Fn(&mut Task) {
    move |task| {
        let lease = task.lease.as_mut().expect("a lease");
        lease.expires_at = lease.expires_at + Millis::from_secs(1);
        task.progress = Some(Box::new(Progress {
            percent: Some(percent),
            message: Some("at it".to_owned()),
            checkpoint: Some(Bytes::from(percent.to_string())),
        }));
    }
}

/// The lease lasts as long as it does now.
fn lasts(sample: &Sample) -> Answer {
    Answer::Extended {
        expires_at: sample.task(1).lease.expect("a lease").expires_at,
        cancel_requested: false,
    }
}

#[test]
fn a_heartbeat_that_was_acknowledged_and_undone_is_found() {
    let mut sample = running();
    let ask = super::super::super::sample::extend(10);
    let (call, before) = asked(&mut sample, ask, |task| {
        beat(50)(task);
        task.progress = None;
    });
    let answer = lasts(&sample);
    sample.answer(call, answer);
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (extend)"));
}

#[test]
fn progress_that_was_acknowledged_and_undone_is_found_although_the_lease_lasts() {
    let mut sample = running();
    let (call, mut before) = asked(&mut sample, heartbeat(50), beat(50));
    before.lease = sample.task(1).lease;
    let answer = lasts(&sample);
    sample.answer(call, answer);
    assert_eq!(sample.check(check), []);
    sample.go_back(1, Some(before));
    assert!(sample.finds(check, "was done (extend)"));
}

#[test]
fn later_heartbeats_may_say_more_and_be_undone() {
    let mut sample = running();
    let (call, _) = asked(&mut sample, heartbeat(50), beat(50));
    let answer = lasts(&sample);
    sample.answer(call, answer);
    let half = sample.task(1);
    // Nobody was told of it.
    sample.change(1, beat(90)).go_back(1, Some(half));
    sample.change(1, beat(80)).completed(1, 10);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_heartbeat_may_share_the_commit_that_stands_with_one_that_says_more() {
    let mut sample = running();
    let (call, before) = asked(&mut sample, heartbeat(50), beat(50));
    sample.go_back(1, Some(before)).change(1, beat(60));
    let answer = lasts(&sample);
    sample.answer(call, answer);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_lease_that_lasts_longer_than_was_said_is_no_loss() {
    let mut sample = running();
    sample.change(1, |task| beat(50)(task));
    let (answer, long) = (lasts(&sample), sample.task(1));
    sample.change(1, |task| task.priority += 1);
    sample.call(WORKER, heartbeat(50), answer);
    sample.go_back(1, Some(long)).completed(1, 10);
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_call_that_was_not_answered_promises_nothing() {
    let mut sample = sample();
    let call = sample.ask(CLIENT, Ask::Submit(Box::new(submit(1))));
    sample.change(1, |_| {}).go_back(1, None);
    sample.answer(call, Answer::Lost);
    assert_eq!(sample.check(check), []);
}
