use russet_core::{Lane, Millis, QueueName, Resources, TaskId};

use super::*;
use crate::sqs::name::Band;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const HIDDEN: Duration = Duration::from_secs(10);

fn place(name: &str) -> Arc<Place> {
    in_band(name, 1)
}

fn in_band(name: &str, band: usize) -> Arc<Place> {
    Arc::new(Place {
        band: Band::ALL[band],
        name: name.into(),
        url: String::new(),
        lane: Lane {
            queue: QueueName::new(name).expect("a name"),
            resources: Resources::NONE,
        },
    })
}

fn held(poll: &Poll, tasks: std::ops::Range<u128>) -> Result<Vec<Held>, String> {
    let held = tasks.map(|task| Held {
        delivery: Delivery {
            task: TaskId::from_u128(task),
            lane: poll.place.lane.clone(),
            receipt: Receipt(task.to_be_bytes().into()),
        },
        until: NOW + Millis::from_secs(1),
        poll: poll.number,
    });
    Ok(held.collect())
}

fn tasks(found: Found) -> Vec<u128> {
    match found {
        Found::Some(deliveries) => deliveries.iter().map(|d| d.task.as_u128()).collect(),
        other => panic!("expected deliveries, not {other:?}"),
    }
}

/// A receiver that has looked once and found nothing.
fn waiter(desk: &mut Desk, places: &[Arc<Place>], max: usize) -> u64 {
    let waiter = desk.enter(max, Arc::new(Notify::new()));
    assert_eq!(desk.look(waiter, places, NOW), Found::Nothing);
    waiter
}

fn plan(desk: &mut Desk, places: &[Arc<Place>], wait_s: u64) -> Vec<Poll> {
    desk.plan(places, Duration::from_secs(wait_s), HIDDEN, NOW)
}

#[test]
fn receivers_share_one_request_and_what_it_brings() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    let one = waiter(&mut desk, &places, 1);
    let polls = plan(&mut desk, &places, 1);
    assert_eq!((polls.len(), polls[0].max, polls[0].wait), (1, 1, 1));
    let other = waiter(&mut desk, &places, 3);
    assert_eq!(plan(&mut desk, &places, 1).len(), 0, "one is under way");
    desk.ended(&polls[0], held(&polls[0], 0..1), NOW);
    assert_eq!(tasks(desk.look(one, &places, NOW)), [0]);
    assert_eq!(desk.look(other, &places, NOW), Found::Nothing);
}

#[test]
fn what_a_receiver_that_went_away_was_brought_goes_to_another_or_is_given_back() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    let gone = waiter(&mut desk, &places, 2);
    let polls = plan(&mut desk, &places, 1);
    desk.leave(gone);
    desk.ended(&polls[0], held(&polls[0], 0..2), NOW);
    let other = desk.enter(1, Arc::new(Notify::new()));
    assert_eq!(tasks(desk.look(other, &places, NOW)), [0]);
    let left = desk.left(&polls[0]);
    assert_eq!(left, [Receipt(1u128.to_be_bytes().into())]);
    assert_eq!(desk.left(&polls[0]), []);
}

#[test]
fn what_was_kept_too_long_is_given_to_nobody() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    let waiter = waiter(&mut desk, &places, 2);
    let polls = plan(&mut desk, &places, 1);
    desk.ended(&polls[0], held(&polls[0], 0..2), NOW);
    let late = NOW + Millis::from_secs(2);
    assert_eq!(desk.look(waiter, &places, late), Found::Nothing);
    assert_eq!(desk.left(&polls[0]).len(), 2);
}

#[test]
fn a_full_reply_is_followed_by_several_requests_that_do_not_wait() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    let waiter = waiter(&mut desk, &places, 25);
    let polls = plan(&mut desk, &places, 20);
    assert_eq!((polls.len(), polls[0].max), (1, 10));
    desk.ended(&polls[0], held(&polls[0], 0..10), NOW);
    assert_eq!(tasks(desk.look(waiter, &places, NOW)).len(), 10);
    let polls = plan(&mut desk, &places, 20);
    assert_eq!(polls.iter().map(|p| p.wait).collect::<Vec<_>>(), [0, 0, 0]);
    desk.ended(&polls[0], held(&polls[0], 10..20), NOW);
    assert_eq!(desk.look(waiter, &places, NOW), Found::Soon);
    desk.ended(&polls[1], held(&polls[1], 20..21), NOW);
    desk.ended(&polls[2], Ok(Vec::new()), NOW);
    assert_eq!(tasks(desk.look(waiter, &places, NOW)).len(), 11);
    assert_eq!(
        plan(&mut desk, &places, 20).len(),
        1,
        "it is no longer deep"
    );
}

#[test]
fn requests_wait_longer_and_longer_while_somebody_asks() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    waiter(&mut desk, &places, 1);
    let mut waits = Vec::new();
    for _ in 0..7 {
        let polls = plan(&mut desk, &places, 1);
        waits.push(polls[0].wait);
        desk.ended(&polls[0], Ok(Vec::new()), NOW);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 20, 20]);
    let later = NOW + Millis::from_secs(60);
    let late = desk.enter(1, Arc::new(Notify::new()));
    assert_eq!(desk.look(late, &places, later), Found::Nothing);
    assert_eq!(plan(&mut desk, &places, 1)[0].wait, 1);
}

#[test]
fn a_failure_is_told_to_those_whose_queues_have_all_failed() {
    let (mut desk, places) = (Desk::default(), [place("a"), place("b")]);
    let both = waiter(&mut desk, &places, 1);
    let other = waiter(&mut desk, &places[1..], 1);
    let polls = plan(&mut desk, &places, 1);
    assert_eq!(polls.len(), 2);
    desk.ended(&polls[1], Err("why".into()), NOW);
    let failed = || Found::Failed("why".into());
    assert_eq!(desk.look(other, &places[1..], NOW), failed());
    assert_eq!(desk.look(both, &places, NOW), Found::Nothing);
    desk.ended(&polls[0], Err("why".into()), NOW);
    assert_eq!(desk.look(both, &places, NOW), failed());
}

#[test]
fn a_queue_that_fails_keeps_no_message_of_another_from_those_who_wait() {
    let (mut desk, places) = (Desk::default(), [place("a"), place("b")]);
    let one = waiter(&mut desk, &places, 1);
    let polls = plan(&mut desk, &places, 1);
    desk.ended(&polls[1], Err("why".into()), NOW);
    desk.ended(&polls[0], Ok(Vec::new()), NOW);
    assert_eq!(desk.look(one, &places, NOW), Found::Nothing);
    let polls = plan(&mut desk, &places, 1);
    assert_eq!(polls.len(), 1, "the other one waits");
    desk.ended(&polls[0], held(&polls[0], 0..1), NOW);
    assert_eq!(tasks(desk.look(one, &places, NOW)), [0]);
}

#[test]
fn a_queue_that_failed_is_asked_again_after_a_pause() {
    let (mut desk, places) = (Desk::default(), [place("a")]);
    waiter(&mut desk, &places, 1);
    let polls = plan(&mut desk, &places, 1);
    desk.ended(&polls[0], Err("why".into()), NOW);
    let resumes = NOW + SQS_FAILED_PAUSE;
    assert_eq!(desk.resumes(&places, NOW), Some(resumes));
    assert_eq!(plan(&mut desk, &places, 1).len(), 0);
    let late = waiter(&mut desk, &places, 1);
    assert_eq!(
        desk.failing(&places),
        Some("why".into()),
        "when its time is over"
    );
    let polls = desk.plan(&places, Duration::from_secs(1), HIDDEN, resumes);
    assert_eq!((polls.len(), desk.failing(&places)), (1, None));
    desk.ended(&polls[0], held(&polls[0], 0..1), NOW);
    assert_eq!(tasks(desk.look(late, &places, NOW)), [0]);
    assert_eq!(desk.resumes(&places, NOW), None);
}

#[test]
fn each_queue_has_its_turn() {
    let (mut desk, places) = (Desk::default(), [place("a"), place("b")]);
    let waiter = waiter(&mut desk, &places, 2);
    let polls = plan(&mut desk, &places, 1);
    desk.ended(&polls[0], held(&polls[0], 0..4), NOW);
    desk.ended(&polls[1], held(&polls[1], 10..12), NOW);
    let mut first = tasks(desk.look(waiter, &places, NOW));
    first.sort_unstable();
    assert_eq!(first, [0, 10]);
}

#[test]
fn what_is_more_urgent_is_handed_out_first() {
    let (mut desk, places) = (Desk::default(), [in_band("a", 0), in_band("b", 2)]);
    let waiter = waiter(&mut desk, &places, 3);
    let polls = plan(&mut desk, &places, 1);
    assert_eq!(polls.len(), 2);
    desk.ended(&polls[1], held(&polls[1], 10..13), NOW);
    desk.ended(&polls[0], held(&polls[0], 0..2), NOW);
    assert_eq!(tasks(desk.look(waiter, &places, NOW)), [0, 1, 10]);
}

#[test]
fn no_starvation_behind_a_band_that_is_backed_up_others_have_their_turn() {
    let (mut desk, places) = (Desk::default(), [in_band("a", 0), in_band("b", 1)]);
    let waiter = waiter(&mut desk, &places, 1);
    let mut asked = Vec::new();
    for _ in 0..4 * SQS_TURNS {
        let polls = plan(&mut desk, &places, 1);
        for poll in &polls {
            desk.ended(poll, held(poll, 0..1), NOW);
        }
        asked.extend(polls.iter().map(|poll| poll.place.name.clone()));
        assert_eq!(tasks(desk.look(waiter, &places, NOW)).len(), 1);
    }
    let urgent = asked.iter().filter(|name| &***name == "a").count();
    let others = asked.len() - urgent;
    assert!(urgent > 3 * others && others >= 3, "{asked:?}");
}

/// Of a request that should end at once and stalls.
#[test]
fn a_receiver_that_has_waited_for_a_request_long_enough_waits_for_none_any_more() {
    let (mut desk, places) = (Desk::default(), [place("a"), place("b")]);
    let other = waiter(&mut desk, &places[1..], 1);
    let stalled = plan(&mut desk, &places[1..], 0);
    assert_eq!((stalled.len(), stalled[0].wait), (1, 0));
    let receiver = desk.enter(1, Arc::new(Notify::new()));
    assert_eq!(desk.look(receiver, &places, NOW), Found::Soon);
    desk.hurry(receiver);
    assert_eq!(desk.look(receiver, &places, NOW), Found::Nothing);
    let polls = plan(&mut desk, &places, 5);
    assert_eq!((polls.len(), &polls[0].place.name), (1, &places[0].name));
    assert_eq!(desk.look(other, &places[1..], NOW), Found::Soon);
}
