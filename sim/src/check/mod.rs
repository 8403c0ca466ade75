//! The promises, one file each: a function over the history of a run that finds where the
//! promise was broken.

pub mod show;

use crate::history::{At, Entry};
use crate::plan::Plan;

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

/// Every promise that the run has broken.
pub fn all(_run: &Run<'_>) -> Vec<Violation> {
    Vec::new()
}
