use std::sync::atomic::{AtomicU32, Ordering};

use crate::workflow::Workflow;

/// Which tasks still wait for which others.
#[derive(Debug)]
pub(super) struct Families {
    children: Vec<Vec<usize>>,
    /// How many of the tasks that each task depends on have not succeeded.
    missing: Vec<AtomicU32>,
}

impl Families {
    /// Those of a workflow of which some tasks may have succeeded; none when it is new.
    pub fn new(workflow: &Workflow, succeeded: &[bool]) -> Self {
        let has_succeeded = |position: usize| succeeded.get(position).copied().unwrap_or(false);
        let missing = workflow.tasks.iter().map(|task| {
            let edges = task.depends_on.iter();
            let missing = edges.filter(|edge| !has_succeeded(edge.task)).count();
            AtomicU32::new(missing as u32)
        });
        Self {
            children: workflow.dependents(),
            missing: missing.collect(),
        }
    }

    /// Takes note of a success, once a task; whether another task may become ready by it.
    pub fn succeeds(&self, position: usize) -> bool {
        let mut ready = false;
        for child in &self.children[position] {
            ready |= self.missing[*child].fetch_sub(1, Ordering::AcqRel) == 1;
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(succeeded: &[bool]) -> Families {
        let text = "tasks:
            a: {sleep: 1}
            b: {sleep: 1}
            c: {sleep: 1, depends_on: [a, b]}
            d: {sleep: 1, depends_on: [c]}";
        let workflow = crate::workflow::parse("w.yaml".as_ref(), text.as_bytes());
        Families::new(&workflow.expect("a workflow"), succeeded)
    }

    #[test]
    fn the_last_of_several_makes_a_task_ready() {
        let families = families(&[]);
        assert!(!families.succeeds(1));
        assert!(families.succeeds(0));
        assert!(families.succeeds(2));
        assert!(!families.succeeds(3), "nothing depends on it");
    }

    #[test]
    fn what_succeeded_in_an_earlier_session_counts() {
        assert!(families(&[true, false, false, false]).succeeds(1));
    }
}
