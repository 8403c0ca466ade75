//! What one run comes to, as its process tells the one that started it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::check::{self, Run};
use crate::history::{Answer, Effect, FaultKind, What};
use crate::marks::{self, Mark};

/// A run in numbers, and what it has broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was broken.
    pub broken: Vec<Broken>,
    /// Interesting states that were reached.
    pub marks: BTreeSet<Mark>,
    /// Faults that were injected.
    pub faults: BTreeMap<FaultKind, u64>,
    /// What nodes' calls have met of them, and of one another.
    pub effects: BTreeMap<Effect, u64>,
    /// Asks that were answered as done.
    pub done: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Asks without an answer.
    pub lost: u64,
    /// Attempts whose handler reached its end.
    pub worked: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Microseconds on the wall.
    pub wall_us: u64,
}

/// A broken promise, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The promise.
    pub promise: String,
    /// What is wrong.
    pub what: String,
    /// The few events that show it, a line each.
    pub shown_by: Vec<String>,
}

impl Verdict {
    /// Judges a run.
    pub fn of(run: &Run<'_>) -> Self {
        let mut verdict = Self {
            marks: marks::of(run),
            simulated_ms: run.ended.millis(),
            ..Self::default()
        };
        for entry in run.entries {
            match &entry.what {
                What::Answered { answers, .. } => answers.iter().for_each(|a| verdict.count(a)),
                What::Fault(fault) => *verdict.faults.entry(fault.kind).or_default() += 1,
                What::Met { effect, .. } => *verdict.effects.entry(*effect).or_default() += 1,
                What::Did { .. } => verdict.worked += 1,
                _ => {}
            }
        }
        let broken = check::all(run).into_iter().map(|violation| Broken {
            promise: violation.promise.to_owned(),
            shown_by: check::show::lines(run, &violation),
            what: violation.what,
        });
        verdict.broken = broken.collect();
        if verdict.done == 0 {
            verdict.broken.push(Broken {
                promise: "not vacuous".to_owned(),
                what: "nothing that anybody asked for was done".to_owned(),
                shown_by: Vec::new(),
            });
        }
        verdict
    }

    fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Refused { .. } => self.refused += 1,
            Answer::Lost | Answer::NotSent => self.lost += 1,
            _ => self.done += 1,
        }
    }
}
