//! How many tasks run at once, and how fast sleeps go.

use serde::{Deserialize, Serialize};

use super::{Options, RunError, limits};
use crate::workflow::{Work, Workflow};

/// How the sleeps and the room of a run are, for the bound on its makespan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    pub concurrency: usize,
    pub speedup: f64,
}

impl Conditions {
    /// Makes them as good as `others` where those are better, so that the bound by them holds
    /// for either; whether any was.
    pub fn widen(&mut self, others: Self) -> bool {
        let before = *self;
        self.concurrency = self.concurrency.max(others.concurrency);
        self.speedup = self.speedup.max(others.speedup);
        *self != before
    }
}

/// The conditions that the user asks for.
///
/// # Errors
/// A number that cannot be.
pub(super) fn conditions(options: &Options, workflow: &Workflow) -> Result<Conditions, RunError> {
    let refused = |option, why| Err(RunError::Option { option, why });
    let most = limits::CONCURRENCY;
    let concurrency = options
        .concurrency
        .unwrap_or_else(|| default_concurrency(workflow));
    if !(1..=most).contains(&concurrency) {
        return refused(
            "concurrency",
            format!("{concurrency} is not a number from 1 to {most}"),
        );
    }
    let speedup = options.speedup;
    if !limits::SPEEDUP.contains(&speedup) {
        let (least, most) = (limits::SPEEDUP.start(), limits::SPEEDUP.end());
        return refused(
            "speedup",
            format!("{speedup} is not a number from {least} to {most}"),
        );
    }
    Ok(Conditions {
        concurrency,
        speedup,
    })
}

fn default_concurrency(workflow: &Workflow) -> usize {
    if runs_commands(workflow) {
        return std::thread::available_parallelism().map_or(1, usize::from);
    }
    limits::SLEEPERS
}

/// Whether any task runs a command.
pub(super) fn runs_commands(workflow: &Workflow) -> bool {
    let mut works = workflow.tasks.iter().map(|task| &task.work);
    works.any(|work| matches!(work, Work::Run(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_session_had_counts() {
        let of = |concurrency, speedup| Conditions {
            concurrency,
            speedup,
        };
        let mut known = of(4, 1.0);
        assert!(known.widen(of(2, 10.0)));
        assert_eq!(known, of(4, 10.0));
        assert!(!known.widen(of(1, 3.0)));
        assert_eq!(known, of(4, 10.0));
    }
}
