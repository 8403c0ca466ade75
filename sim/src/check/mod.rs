//! The promises, one file each: a function over the history of a run that finds where the
//! promise was broken.

mod bounded;
mod bounded_retry;
mod calls;
mod dead_once;
mod dedup;
#[cfg(test)]
mod drawn;
mod edges;
mod facts;
mod findings;
mod forgetful;
mod indexes_agree;
mod lease_respected;
mod limits_held;
mod mirror;
mod model;
mod names;
mod no_ghost;
mod no_loss;
mod no_starvation;
mod one_holder;
mod order;
mod queue_word;
mod reference;
mod replicated;
#[cfg(test)]
mod sample;
pub mod show;
mod stale_refused;
mod timeline;

use crate::history::{At, Entry};
use crate::plan::Plan;

use facts::Facts;

/// What a checker sees.
pub struct Run<'a> {
    /// What was to happen.
    pub plan: &'a Plan,
    /// What happened, in order.
    pub entries: &'a [Entry],
    /// When no more faults were injected.
    pub healed: At,
    /// When the run ended; everything should have ended before.
    pub ended: At,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The promise's name.
    pub promise: &'static str,
    /// What is wrong, in a sentence that names the tasks.
    pub what: String,
    /// Positions in the history of the few entries that show it.
    pub shown_by: Vec<usize>,
}

type Checker = fn(&Facts<'_>) -> Vec<Violation>;

/// Every checker, by the name of its promise.
const CHECKERS: [(&str, Checker); 15] = [
    (no_loss::PROMISE, no_loss::check),
    (no_ghost::PROMISE, no_ghost::check),
    (one_holder::PROMISE, one_holder::check),
    (stale_refused::PROMISE, stale_refused::check),
    (lease_respected::PROMISE, lease_respected::check),
    (bounded_retry::PROMISE, bounded_retry::check),
    (dead_once::PROMISE, dead_once::check),
    (dedup::PROMISE, dedup::check),
    (order::PROMISE, order::check),
    (no_starvation::PROMISE, no_starvation::check),
    (limits_held::PROMISE, limits_held::check),
    (indexes_agree::PROMISE, indexes_agree::check),
    (bounded::PROMISE, bounded::check),
    (reference::PROMISE, reference::check),
    (queue_word::PROMISE, queue_word::check),
];

/// Those of the promises that a store keeps which has gone back to an earlier state.
const OF_FORGETFUL: [(&str, Checker); 6] = [
    (forgetful::PROMISE, forgetful::check),
    (replicated::PROMISE, replicated::check),
    (limits_held::PROMISE, limits_held::check),
    (indexes_agree::PROMISE, indexes_agree::check),
    (bounded::PROMISE, bounded::check),
    (queue_word::PROMISE, queue_word::check),
];

/// The names of all promises that are checked.
pub fn promises() -> impl Iterator<Item = &'static str> {
    let all = CHECKERS.iter().chain(&OF_FORGETFUL[..2]);
    all.map(|(promise, _)| *promise)
}

/// Runs every checker; nothing when all promises were kept.
pub fn all(run: &Run<'_>) -> Vec<Violation> {
    let facts = Facts::of(run);
    let checkers = match run.plan.may_forget() {
        true => OF_FORGETFUL.as_slice(),
        false => CHECKERS.as_slice(),
    };
    let found = checkers.iter().flat_map(|(_, check)| check(&facts));
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::sample::Sample;
    use super::*;

    /// A history of a good many tasks, each with a whole life.
    fn good(tasks: u64) -> Sample {
        let mut sample = Sample::new();
        for n in 1..=tasks {
            sample.submitted(n).granted(n, n).completed(n, n);
        }
        sample
    }

    #[test]
    fn a_good_history_breaks_no_promise() {
        assert_eq!(all(&good(100).run()), []);
    }

    #[test]
    fn every_promise_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = promises().collect();
        assert_eq!(names.len(), CHECKERS.len() + 2);
    }
}
