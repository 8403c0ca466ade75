//! Why a task did not run: what it depends on ended otherwise.

use russet_core::End;

use crate::workflow::{Dependency, Workflow};

/// Those of a task's dependencies that the ends of other tasks do not satisfy. `end` says how a
/// task ended, `None` while it is live.
pub(super) fn unmet<'a>(
    workflow: &'a Workflow,
    position: usize,
    end: impl Fn(usize) -> Option<End> + 'a,
) -> impl Iterator<Item = &'a Dependency> {
    let edges = workflow.tasks[position].depends_on.iter();
    edges.filter(move |edge| !end(edge.task).is_some_and(|end| edge.on.is_satisfied_by(end)))
}

/// The first dependency that ended otherwise, in words: `fetch is dead`.
pub(super) fn explain(
    workflow: &Workflow,
    position: usize,
    end: impl Fn(usize) -> Option<End>,
) -> Option<String> {
    let of = |edge: &Dependency| Some((edge.task, end(edge.task)?));
    let (task, end) = unmet(workflow, position, &end).find_map(of)?;
    let name = &workflow.tasks[task].name;
    Some(match end {
        End::Succeeded => format!("{name} succeeded"),
        End::Dead => format!("{name} is dead"),
        End::Cancelled => format!("{name} was cancelled"),
        End::NotNeeded => format!("{name} was not needed"),
    })
}
