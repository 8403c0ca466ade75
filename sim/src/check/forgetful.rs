//! What is promised of a store that has gone back to an earlier state of its own: fencing tokens
//! grow, in all of its pasts together; each commit of a node does to a lease what it may; and what
//! the store still knows reaches its end.

mod tokens;

use super::Violation;
use super::facts::Facts;
use super::findings::Findings;
use super::one_holder;

pub(super) const PROMISE: &str = "store-that-forgets";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    tokens::check(facts, &mut findings);
    for (id, moment) in facts.moments() {
        if tokens::is_by_node(facts, moment) {
            one_holder::step(id, moment, &mut findings);
        }
    }
    for (id, timeline) in &facts.tasks {
        if let Some(task) = timeline.last().filter(|task| !task.status.is_terminal()) {
            let what = format!("task {id} was still {} when the run ended", task.status);
            findings.add(what, &[timeline.last_entry()]);
        }
    }
    findings.done()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_commit_of_a_node_changes_no_token_but_with_a_grant() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 1)
            .change(1, |task| task.attempt = 0);
        assert!(sample.finds(check, "went from 1 to 0"));
    }

    #[test]
    fn what_is_still_known_must_end() {
        let mut sample = Sample::new();
        sample.submitted(1);
        assert!(sample.finds(check, "was still queued"));
    }
}
