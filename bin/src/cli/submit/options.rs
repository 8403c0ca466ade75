//! Values of options that only a submission has.

use russet::wire::{DependsOn, WindowView};
use russet_core::{IfUnsatisfied, TaskId};

use crate::cli::input;

/// A task to wait for: its id, and after a colon which end of it.
pub(super) fn dependency(text: &str) -> Result<DependsOn, String> {
    let (id, end) = text.split_once(':').unwrap_or((text, "success"));
    let task: TaskId = id.parse().map_err(|error| format!("{id:?} is {error}"))?;
    match end {
        "success" => Ok(DependsOn::success(task)),
        "completion" => Ok(DependsOn::completion(task)),
        "failure" => Ok(DependsOn::failure(task)),
        other => Err(format!(
            "{other:?} is not an end: write ID, ID:success, ID:completion or ID:failure"
        )),
    }
}

/// What becomes of a task when a dependency cannot be satisfied.
pub(super) fn if_unsatisfied(text: &str) -> Result<IfUnsatisfied, String> {
    match text {
        "cancel" => Ok(IfUnsatisfied::Cancel),
        "dead" => Ok(IfUnsatisfied::Dead),
        "run" => Ok(IfUnsatisfied::Run),
        _ => Err("write cancel, dead or run".to_owned()),
    }
}

/// How long a key names its task.
pub(super) fn window(text: &str) -> Result<WindowView, String> {
    match text {
        "while_live" => Ok(WindowView::WhileLive),
        text => input::some_duration(text)
            .map(|duration| WindowView::Ms(input::ms(duration)))
            .map_err(|error| format!("{error}; or write while_live, until the task ends")),
    }
}
