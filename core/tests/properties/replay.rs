//! Promises about the form of decisions: they can be written down, replayed and repeated.

use russet_core::{Command, Decision, Rejection, Reply, Timestamp, Undecided, View, codec, decide};

use crate::harness::Step;
use crate::store::Partition;

/// A record that is written and read is the same record.
pub fn records_read_back(step: &Step<'_>) {
    for write in step.result.iter().flat_map(|decision| &decision.writes) {
        if let Some(record) = &write.record {
            assert_eq!(codec::read(&codec::write(record)).as_ref(), Ok(record));
        }
    }
}

/// A decision is a function of view, command and time alone, and all of them can be recorded.
pub fn replays(
    view: &View,
    command: &Command,
    now: Timestamp,
    result: &Result<Decision, Rejection>,
) {
    let recording = postcard::to_allocvec(&(view, command, now, result)).expect("a recording");
    let (view, command, now, recorded): (View, Command, _, Result<Decision, Rejection>) =
        postcard::from_bytes(&recording).expect("what was recorded");
    assert_eq!(&recorded, result, "a recorded result reads back as it was");
    match (decide(&view, &command, now), recorded) {
        (Ok(again), Ok(decision)) => assert_eq!(again, decision, "a replay decides otherwise"),
        (Err(Undecided::Rejected(again)), Err(rejection)) => {
            assert_eq!(again, rejection, "a replay refuses for another reason");
        }
        (again, _) => panic!("a replay decides otherwise: {again:?}"),
    }
}

/// A command that is decided once more, after an unknown outcome, gets the same reply.
pub fn same_reply(stored: &Partition, command: &Command, now: Timestamp, first: &Reply) {
    let (_, again) = stored.decide(command, now);
    let again = again.map(|decision| decision.reply);
    match (command, first, again) {
        // What is purged is gone, and a timer that fired may be due again or not.
        (Command::Purge(_) | Command::Fire(_), _, _) => {}
        (
            _,
            Reply::Submitted {
                tasks, workflow, ..
            },
            again,
        ) => {
            let Ok(Reply::Submitted {
                tasks: t,
                workflow: w,
                existing: true,
            }) = again
            else {
                panic!("{again:?} is not the reply to a repetition");
            };
            assert_eq!(
                (&t, &w),
                (tasks, workflow),
                "a repetition gets another reply"
            );
        }
        (_, first, again) => {
            assert_eq!(again.as_ref(), Ok(first), "a repetition gets another reply");
        }
    }
}
