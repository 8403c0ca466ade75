//! Changes of queues.

use russet::wire::ConfigureQueue;
use russet_core::{PartitionId, QueueConfig, QueueRecord};

use super::super::super::sample::queue;
use super::*;
use crate::plan::AGING;

type Place = (RecordKey, Option<Record>);

/// The queue, paused or not.
fn paused(sample: &Sample, paused: bool) -> Place {
    let record = QueueRecord {
        name: queue(),
        config: QueueConfig {
            paused,
            aging: AGING,
            ..QueueConfig::default()
        },
        running: 0,
        updated_at: sample.clock(),
    };
    let record = Record::Queue(Arc::new(record));
    (RecordKey::Queue(queue()), Some(record))
}

fn pause(wanted: bool) -> Ask {
    Ask::Configure {
        queue: queue().as_str().to_owned(),
        change: ConfigureQueue {
            paused: Some(wanted),
            ..ConfigureQueue::default()
        },
    }
}

/// A client pauses the queue, or lets it go on, and is told that it is done.
fn told(sample: &mut Sample, wanted: bool) -> Place {
    let call = sample.ask(CLIENT, pause(wanted));
    let place = paused(sample, wanted);
    sample.commit(vec![place.clone()]);
    sample.answer(call, Answer::Done);
    place
}

fn go_back(sample: &mut Sample, place: Place) {
    sample.stored(PARTITION, Actor::Store, vec![place]);
}

#[test]
fn a_change_of_a_queue_that_was_acknowledged_and_undone_is_found() {
    let mut sample = sample();
    let (key, _) = told(&mut sample, true);
    assert_eq!(sample.check(check), []);
    go_back(&mut sample, (key, None));
    assert!(sample.finds(check, "undid it for queue-0 in partition 0"));
}

#[test]
fn a_change_holds_in_every_partition() {
    let mut sample = sample();
    sample.plan.partitions = 2;
    let far = PartitionId(1);
    let (call, place) = (sample.ask(CLIENT, pause(true)), paused(&sample, true));
    sample.commit(vec![place.clone()]);
    sample.commit_in(far, vec![place.clone()]);
    sample.answer(call, Answer::Done);
    assert_eq!(sample.check(check), []);
    sample.stored(far, Actor::Store, vec![(place.0, None)]);
    assert!(sample.finds(check, "undid it for queue-0 in partition 1"));
}

#[test]
fn a_queue_that_is_changed_again_may_go_back_to_the_change_before() {
    let mut sample = sample();
    let place = told(&mut sample, true);
    let resumed = paused(&sample, false);
    // Nobody was told of it.
    sample.commit(vec![resumed]);
    go_back(&mut sample, place);
    told(&mut sample, false);
    assert_eq!(sample.check(check), []);
}

#[test]
fn what_a_queue_is_without_a_record_is_not_lost_with_the_record() {
    let mut sample = sample();
    let (key, _) = told(&mut sample, false);
    go_back(&mut sample, (key, None));
    assert_eq!(sample.check(check), []);
}

#[test]
fn two_changes_may_share_the_commit_that_stands() {
    for others in [false, true] {
        let mut sample = sample();
        let call = sample.ask(CLIENT, pause(true));
        if others {
            sample.ask(Actor::Client(1), pause(false));
        }
        let (one, other) = (paused(&sample, true), paused(&sample, false));
        sample.commit(vec![one.clone()]);
        go_back(&mut sample, (one.0, None));
        sample.commit(vec![other]).answer(call, Answer::Done);
        assert_eq!(sample.check(check).is_empty(), others);
    }
}
