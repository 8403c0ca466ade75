use russet_core::LeaseEnd;
use russet_engine::{QueueStats, Stats};

use super::super::sample::{PARTITION, Sample, id, queue};
use super::*;

/// A task that is queued and one that succeeded, and a look at them.
fn two() -> (Sample, Look) {
    let mut sample = Sample::new();
    sample
        .submitted(1)
        .submitted(2)
        .granted(1, 10)
        .end(1, Status::Succeeded, LeaseEnd::Completed);
    let mut by_status = ByStatus::default();
    by_status[Status::Queued as usize] = 1;
    by_status[Status::Succeeded as usize] = 1;
    let stats = QueueStats {
        queue: queue(),
        by_status,
        oldest_ready_at: sample.task(2).ready_at,
    };
    let record = |n: u64| {
        let task = std::sync::Arc::new(sample.task(n));
        (
            (PARTITION, RecordKey::Task(id(n))),
            Some(Record::Task(task)),
        )
    };
    let look = Look {
        records: [record(1), record(2)].into(),
        stats: Stats {
            queues: vec![stats],
        },
        all: vec![id(1), id(2)],
        by_status: [
            ((queue(), Status::Queued), vec![id(2)]),
            ((queue(), Status::Succeeded), vec![id(1)]),
        ]
        .into(),
        timers: [(PARTITION, Vec::new())].into(),
        ready: Some([(queue(), 1)].into()),
        ..Look::default()
    };
    (sample, look)
}

fn found(change: impl FnOnce(&mut Look)) -> Vec<Violation> {
    let (mut sample, mut look) = two();
    change(&mut look);
    sample.write(What::Looked(Box::new(look)));
    sample.check(check)
}

#[test]
fn indexes_that_say_what_the_records_say_agree() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn every_index_that_says_something_else_is_found() {
    type Break = fn(&mut Look);
    let broken: [(&str, Break); 8] = [
        ("lacks task", |look| {
            look.all.pop();
        }),
        ("not the oldest first", |look| look.all.reverse()),
        ("does not belong there", |look| {
            look.by_status.insert((queue(), Status::Dead), vec![id(1)]);
        }),
        ("the counters of", |look| {
            look.stats.queues[0].by_status[0] = 3
        }),
        ("there are no counters", |look| look.stats.queues.clear()),
        ("can be delivered", |look| {
            look.ready = Some([(queue(), 2)].into())
        }),
        ("that is not its own", |look| {
            let (at, timer) = (Timestamp::ZERO, TimerKey::Task(id(1)));
            look.timers.insert(PARTITION, vec![Due { at, timer }]);
        }),
        ("is gone and should be there", |look| {
            look.records
                .insert((PARTITION, RecordKey::Task(id(1))), None);
        }),
    ];
    for (words, change) in broken {
        let violations = found(change);
        let said = violations
            .iter()
            .any(|violation| violation.what.contains(words));
        assert!(said, "{words:?} is not in {violations:?}");
    }
}
