//! What became of a task that has ended, and whose end it was that ended it.

use russet::wire::TaskView;
use russet_core::{End, ErrorKind, Status, Task};
use russet_engine::EngineError;

use super::super::App;
use super::{Reason, past, reason};

pub(super) async fn ended(app: &App, task: &Task) -> Result<Reason, EngineError> {
    let at = past(task.completed_at, app.now());
    let error = task.last_error.as_ref();
    let error = error.filter(|error| error.kind.explains(task.status));
    let error = error
        .map(|error| format!(": {}", error.message.trim_end()))
        .unwrap_or_default();
    let parent = let_down(app, task).await?;
    let go_on = match (&parent, task.status) {
        (Some(parent), _) => format!("\n{parent}"),
        (None, Status::Dead) => format!("\n`russet tasks redrive {}` gives it a new life", task.id),
        (None, _) => String::new(),
    };
    let error = format!("{error}{go_on}");
    Ok(match task.status {
        Status::Succeeded => reason("succeeded", format!("it succeeded {at}")),
        Status::Dead => reason("dead", format!("it failed for good {at}{error}")),
        _ if task.end() == Some(End::NotNeeded) => reason(
            "not_needed",
            format!("it was not needed, since {at}{error}"),
        ),
        _ => reason("cancelled", format!("it was cancelled {at}{error}")),
    })
}

/// The parent whose end ended the task, as it is now, and how to go on.
async fn let_down(app: &App, task: &Task) -> Result<Option<String>, EngineError> {
    let error = task.last_error.as_ref();
    let error = error.filter(|error| error.kind == ErrorKind::DependencyUnsatisfied);
    let Some(error) = error else {
        return Ok(None);
    };
    let edges = app.scheduler().dependencies(task).await?;
    let named = |id: &str| error.message.contains(id);
    let parent = edges.iter().find(|edge| named(&edge.task.to_string()));
    let parent = match parent {
        Some(edge) => app.scheduler().get(edge.task).await?,
        None => None,
    };
    let Some(parent) = parent else {
        return Ok(None);
    };
    let name = TaskView::new(&parent, &[]).name();
    let name = name.map(|name| format!("{name}, ")).unwrap_or_default();
    let redrive = match task.workflow {
        Some(workflow) => format!("workflows redrive {workflow}"),
        None => format!("tasks redrive {} {}", parent.id, task.id),
    };
    Ok(Some(format!(
        "that is {name}{} now; when the cause is gone, `russet {redrive}` lets them go on",
        parent.status
    )))
}
