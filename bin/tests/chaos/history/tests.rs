use std::time::Instant;

use super::*;

fn id(n: u64) -> TaskId {
    let now = russet::core::Timestamp::from_millis(1_000);
    TaskId::new(now, russet::core::PartitionId(0), n)
}

fn script(n: u64) -> Script {
    Script {
        name: format!("0-{n}"),
        work_ms: 1,
        failures: 0,
        dies: false,
        delay_ms: 0,
        after: None,
    }
}

fn begun(task: u64, attempt: u64, granted: u64) -> Begun {
    Begun {
        task: id(task),
        attempt,
        name: script(task).name,
        granted,
    }
}

fn accepted(task: u64, attempt: u64) -> Accepted {
    let task = id(task);
    Accepted { task, attempt }
}

/// Two tasks: one that ran once, and one that ran twice.
fn good() -> History {
    let submission = |n| Submission {
        script: script(n),
        acknowledged: vec![(id(n), Instant::now()), (id(n), Instant::now())],
        refused: None,
    };
    let found = |n, attempt| Found {
        id: id(n),
        status: Status::Succeeded,
        attempt,
        script: script(n),
        result: Some(attempt),
        submitted: 5,
        ended: Some(20),
    };
    History {
        submissions: vec![submission(1), submission(2)],
        begun: vec![begun(2, 2, 20), begun(1, 1, 10), begun(2, 1, 10)],
        accepted: vec![accepted(1, 1), accepted(2, 2), accepted(2, 2)],
        found: vec![found(1, 1), found(2, 2)],
        counted: [("succeeded", 2), ("dead", 0)].into(),
    }
}

/// That the check passes a good history, and not what `spoil` makes of it.
fn bites(check: Check, spoil: impl FnOnce(&mut History)) {
    let mut history = good();
    assert_eq!(check(&history), Ok(()));
    spoil(&mut history);
    assert!(check(&history).is_err(), "it is passed: {history:?}");
}

#[test]
fn a_good_history_breaks_no_promise() {
    good().check(&ALWAYS);
    good().check(&KEPT);
    good().check(&[one_holder_an_epoch]);
    assert!(good().lost().is_empty());
}

#[test]
fn a_submission_that_is_refused_is_told() {
    bites(answered, |h| {
        h.submissions[0].refused = Some("no".to_owned())
    });
}

#[test]
fn an_acknowledged_task_that_is_not_there_is_told() {
    bites(no_loss, |h| drop(h.found.pop()));
}

#[test]
fn a_task_that_has_not_ended_or_ended_otherwise_is_told() {
    bites(ended, |h| h.found[0].status = Status::Queued);
    bites(ended, |h| h.found[0].status = Status::Dead);
    bites(ended, |h| h.found[0].script.dies = true);
}

#[test]
fn a_task_that_nobody_submitted_is_told() {
    bites(no_ghost, |h| h.found[0].script.name = "9-9".to_owned());
    bites(no_ghost, |h| h.found[0].script.work_ms = 7);
    bites(no_ghost, |h| h.begun.push(begun(3, 1, 10)));
}

#[test]
fn a_submission_that_names_two_tasks_is_told() {
    bites(dedup, |h| h.submissions[0].acknowledged[1].0 = id(7));
    bites(dedup, |h| h.begun[0].task = id(7));
    bites(one_task_a_key, |h| {
        let again = h.found[0].clone();
        h.found.push(Found { id: id(7), ..again });
    });
}

#[test]
fn an_attempt_that_begins_twice_is_told() {
    bites(begun_once, |h| h.begun.push(begun(1, 1, 30)));
}

#[test]
fn a_fencing_token_that_falls_is_told() {
    bites(tokens_grow, |h| h.begun.push(begun(2, 3, 15)));
}

#[test]
fn a_completion_that_is_accepted_twice_or_not_kept_is_told() {
    bites(one_holder, |h| h.accepted.push(accepted(2, 1)));
    bites(one_holder, |h| h.accepted[0].attempt = 2);
    bites(one_holder, |h| h.found[0].result = Some(4));
    bites(one_holder_an_epoch, |h| h.accepted.push(accepted(2, 1)));
    bites(one_holder_an_epoch, |h| {
        h.accepted.push(accepted(1, Epoch::ATTEMPTS));
    });
}

#[test]
fn a_completion_may_be_accepted_again_in_another_epoch_of_a_store_that_forgets() {
    let mut history = good();
    history.accepted.push(accepted(1, Epoch::ATTEMPTS + 1));
    history.check(&[one_holder_an_epoch]);
    assert!(one_holder(&history).is_err());
}

#[test]
fn an_attempt_that_begins_after_the_end_is_told() {
    bites(newest_token, |h| h.begun.push(begun(1, 2, 30)));
}

#[test]
fn what_begins_before_its_delay_or_its_parent_is_over_is_told() {
    let mut history = good();
    history.found[1].script.delay_ms = 5;
    assert_eq!(order(&history), Ok(()));
    bites(order, |h| h.found[1].script.delay_ms = 6);
    bites(order, |h| h.found[1].script.after = Some(id(1)));
    history.found[0].ended = Some(10);
    history.found[1].script.after = Some(id(1));
    assert_eq!(order(&history), Ok(()));
    history.found[0].ended = None;
    assert!(order(&history).is_err());
}

#[test]
fn counters_that_are_wrong_are_told() {
    bites(indexes_agree, |h| h.counted.extend([("succeeded", 3)]));
    bites(indexes_agree, |h| h.counted.extend([("queued", 1)]));
}
