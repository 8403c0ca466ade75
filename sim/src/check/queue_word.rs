//! What the adapter of a queue says is done, the queue has done: messages are sent, deliveries are
//! settled, given back or hidden, and none is gone that nobody has settled. Timers would repair
//! each of it, after minutes, so that nothing else shows.

use std::collections::BTreeMap;

use russet_core::TaskId;

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use crate::history::{Assured, What};

pub(super) const PROMISE: &str = "queue-keeps-word";

/// The queue counts whole seconds, and parts of one as one.
const ROUNDED_MS: u64 = 1_000;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    for (position, entry) in facts.run.entries.iter().enumerate() {
        let wrong = match &entry.what {
            What::Assured { assured, .. } => broken(assured),
            What::Unsettled { task } => Some(format!(
                "the message of task {task} is gone from its queue, and no node had settled it"
            )),
            _ => None,
        };
        if let Some(what) = wrong {
            findings.add(what, &[position]);
        }
    }
    findings.done()
}

/// What is not as the adapter said.
fn broken(assured: &Assured) -> Option<String> {
    match assured {
        Assured::Sent(taken) => unsent(taken),
        Assured::Deleted { left, .. } => left.first().map(|task| {
            format!("a delivery of task {task} was said to be settled, and its message is there")
        }),
        Assured::Released {
            delay_ms,
            hidden_ms,
        } => {
            let most = delay_ms + ROUNDED_MS;
            let late = hidden_ms.iter().find(|(_, hidden)| *hidden > most);
            late.map(|(task, hidden)| {
                format!(
                    "a delivery of task {task} was given back for {delay_ms} ms, and is hidden \
                     for {hidden} ms"
                )
            })
        }
        Assured::Received {
            visibility_ms,
            hidden_ms,
        } => {
            let right = *visibility_ms..=visibility_ms + ROUNDED_MS;
            let wrong = hidden_ms.iter().find(|(_, hidden)| !right.contains(hidden));
            wrong.map(|(task, hidden)| {
                format!(
                    "a delivery of task {task} was to be hidden for {visibility_ms} ms, and was \
                     hidden for {hidden} ms"
                )
            })
        }
    }
}

/// A task may be announced more than once in a call.
fn unsent(taken: &[(TaskId, u64)]) -> Option<String> {
    let mut announced: BTreeMap<TaskId, (u64, u64)> = BTreeMap::new();
    for (task, count) in taken {
        announced.entry(*task).or_insert((0, *count)).0 += 1;
    }
    let mut announced = announced.into_iter();
    let missing = announced.find(|(_, (said, took))| took < said)?;
    let (task, (said, took)) = missing;
    Some(format!(
        "{said} messages of task {task} were said to be sent, and the queue took {took}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, id};
    use super::*;
    use crate::history::Actor;

    fn assured(assured: Assured) -> Sample {
        let mut sample = Sample::new();
        sample.write(What::Assured {
            node: Actor::Node(0),
            assured,
        });
        sample
    }

    #[test]
    fn what_the_queue_shows_as_it_was_said_is_good() {
        for good in [
            Assured::Sent(vec![(id(1), 1), (id(2), 2)]),
            Assured::Deleted {
                count: 2,
                left: Vec::new(),
            },
            Assured::Released {
                delay_ms: 1_500,
                hidden_ms: vec![(id(1), 2_000)],
            },
            Assured::Received {
                visibility_ms: 30_000,
                hidden_ms: vec![(id(1), 30_000)],
            },
        ] {
            assert_eq!(assured(good).check(check), []);
        }
    }

    #[test]
    fn a_message_that_the_queue_did_not_take_is_found() {
        let sample = assured(Assured::Sent(vec![(id(1), 1), (id(2), 0)]));
        assert!(sample.finds(check, "the queue took 0"));
        let twice = assured(Assured::Sent(vec![(id(1), 1), (id(1), 1)]));
        assert!(twice.finds(check, "the queue took 1"));
    }

    #[test]
    fn a_delivery_that_comes_again_is_found() {
        let left = vec![id(1)];
        let sample = assured(Assured::Deleted { count: 1, left });
        assert!(sample.finds(check, "its message is there"));
    }

    #[test]
    fn a_delivery_that_is_hidden_for_too_long_or_too_short_is_found() {
        for hidden in [3_000, 300_000] {
            let sample = assured(Assured::Received {
                visibility_ms: 30_000,
                hidden_ms: vec![(id(1), hidden)],
            });
            assert!(sample.finds(check, "was to be hidden for 30000 ms"));
        }
        let sample = assured(Assured::Released {
            delay_ms: 0,
            hidden_ms: vec![(id(1), 20_000)],
        });
        assert!(sample.finds(check, "was given back for 0 ms"));
    }

    #[test]
    fn a_message_that_is_gone_unsettled_is_found() {
        let mut sample = Sample::new();
        sample.write(What::Unsettled { task: id(1) });
        assert!(sample.finds(check, "no node had settled it"));
    }
}
