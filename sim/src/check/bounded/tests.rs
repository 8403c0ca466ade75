use std::sync::Arc;

use russet_core::{DependencyOn, Message, RecordKey};

use super::super::sample::{Sample, id, lease, put, submit};
use super::*;
use crate::history::Granted;

#[test]
fn a_node_that_is_refused_pauses_between_its_tries() {
    let refused = |times: u64, every_ms: u64| {
        let mut sample = Sample::new();
        for n in 0..times {
            let node = Actor::Node(0);
            sample.at(n * every_ms).write(What::TurnedAway { node });
        }
        !sample.check(check).is_empty()
    };
    let most = REFUSALS_A_SECOND as u64;
    assert!(!refused(2 * most, 10));
    assert!(refused(20 * most, 1));
}
fn complete(l: u64) -> Ask {
    Ask::Complete {
        task: id(1),
        lease: lease(l),
        follow_ups: Vec::new(),
    }
}

fn outbox(sample: &Sample, tries: u32) -> (RecordKey, Option<Record>) {
    let (parent, child, on) = (id(1), id(2), DependencyOn::Success);
    let message = Message::Watch {
        parent,
        child,
        on,
        life: None,
    };
    let due_at = sample.clock() + RELAY_AFTER;
    let outbox = Outbox {
        message,
        tries,
        due_at,
    };
    (
        RecordKey::Outbox(message.id()),
        Some(Record::Outbox(Arc::new(outbox))),
    )
}

/// A message that is handed over again so many milliseconds later.
fn relayed_after(ms: u64) -> Sample {
    let mut sample = Sample::new();
    let first = outbox(&sample, 0);
    sample.commit(vec![first]).at(ms);
    let again = outbox(&sample, 1);
    sample.commit(vec![again]);
    sample
}

#[test]
fn what_pauses_is_bounded() {
    let mut sample = Sample::new();
    sample.submitted(1).granted(1, 10);
    for n in 0..50 {
        sample
            .at(1_000 + n * 200)
            .call(Actor::Worker(0), complete(10), Answer::Lost);
    }
    assert_eq!(sample.check(check), []);
    assert_eq!(relayed_after(2_000).check(check), []);
}

#[test]
fn whoever_asks_without_a_pause_is_not() {
    let mut sample = Sample::new();
    for _ in 0..=asks_a_second(1) {
        sample.call(Actor::Worker(0), complete(10), Answer::Lost);
    }
    assert!(sample.finds(check, "times in a second to complete"));
}

#[test]
fn a_client_that_submits_the_same_in_several_steps_tries_in_each() {
    let mut sample = Sample::new();
    for _ in 0..=asks_a_second(1) {
        let ask = Ask::Submit(Box::new(submit(1)));
        sample.call(Actor::Client(0), ask, Answer::Lost);
    }
    assert!(sample.finds(check, "times in a second to submit"));
    let step = |act| Step {
        at_ms: 0,
        client: 0,
        act,
    };
    sample.plan.steps = vec![step(Act::Submit(Vec::new())), step(Act::Again(0))];
    assert_eq!(sample.check(check), []);
}

#[test]
fn a_message_is_not_handed_over_again_at_once() {
    assert!(relayed_after(10).finds(check, "was handed over again"));
}

#[test]
fn a_task_is_not_changed_over_and_over() {
    let mut sample = Sample::new();
    for _ in 0..=CHANGES_A_SECOND {
        sample.change(1, |_| {});
    }
    assert!(sample.finds(check, "was changed more than"));
}

#[test]
fn transactions_and_grants_are_as_large_as_they_may_be() {
    let mut sample = Sample::new();
    sample.plan.transaction_changes = Some(1);
    let two = vec![put(sample.task(1)), put(sample.task(2))];
    sample.commit(two);
    assert!(sample.finds(check, "2 records of"));
    sample.plan.transaction_changes = Some(2);
    assert_eq!(sample.check(check), []);
    sample.plan.transaction_bytes = Some(2_000);
    assert!(sample.finds(check, "2 records of"));
    sample.plan.transaction_bytes = None;
    let granted = Granted {
        task: id(1),
        attempt: 1,
        lease: lease(10),
        lasts_ms: 1,
    };
    let ask = Ask::Lease {
        queues: Vec::new(),
        max: 1,
        lease_ms: None,
    };
    sample.call(Actor::Worker(0), ask, Answer::Leased(vec![granted; 2]));
    assert!(sample.finds(check, "was granted 2"));
}
