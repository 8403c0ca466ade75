//! Why a task did not run: what it depends on ended otherwise.

use russet_core::Status;

use crate::workflow::{Dependency, On, Workflow};

/// Those of a task's dependencies that the ends of other tasks do not satisfy. `status` says
/// how a task ended, `None` while it is live.
pub(super) fn unmet<'a>(
    workflow: &'a Workflow,
    position: usize,
    status: impl Fn(usize) -> Option<Status> + 'a,
) -> impl Iterator<Item = &'a Dependency> {
    let edges = workflow.tasks[position].depends_on.iter();
    edges.filter(move |edge| match (edge.on, status(edge.task)) {
        (_, None) => true,
        (On::Success, Some(ended)) => ended != Status::Succeeded,
        (On::Completion, Some(_)) => false,
        (On::Failure, Some(ended)) => ended == Status::Succeeded,
    })
}

/// The first dependency that ended otherwise, in words: `fetch is dead`.
pub(super) fn explain(
    workflow: &Workflow,
    position: usize,
    status: impl Fn(usize) -> Option<Status>,
) -> Option<String> {
    let of = |edge: &Dependency| Some((edge.task, status(edge.task)?));
    let (task, ended) = unmet(workflow, position, &status).find_map(of)?;
    let name = &workflow.tasks[task].name;
    Some(match ended {
        Status::Succeeded => format!("{name} succeeded"),
        Status::Dead => format!("{name} is dead"),
        _ => format!("{name} was cancelled"),
    })
}
