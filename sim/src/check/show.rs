//! Shows a violation to an engineer.

use super::{Run, Violation};

/// The entries that show a violation, a line each.
pub fn lines(run: &Run<'_>, violation: &Violation) -> Vec<String> {
    let entries = violation
        .shown_by
        .iter()
        .filter_map(|at| run.entries.get(*at));
    entries
        .map(|entry| format!("{} {:?}", entry.at, entry.what))
        .collect()
}
