//! A workflow from a file, as JSON or YAML.

use std::path::Path;

use russet::wire::{Problem, SubmitWorkflow, from_json};
use serde_json::Value;

use crate::cli::{CliError, input};
use crate::workflow::{self, WorkflowError};

/// The workflow in `file`, or on standard input for `-`.
pub(super) fn read(file: &str) -> Result<SubmitWorkflow, CliError> {
    let bytes = input::bytes(file)?;
    let refuse = |problem: Problem| CliError::document(file, problem);
    let is_json = bytes.trim_ascii_start().starts_with(b"{");
    if is_json {
        return from_json(&bytes).map_err(|problem| match serde_json::from_slice(&bytes) {
            Ok(value) if is_for_run(&value) => for_run(file),
            _ => refuse(problem),
        });
    }
    let value = workflow::json(Path::new(file), &bytes).map_err(|error| malformed(file, error))?;
    if is_for_run(&value) {
        return Err(for_run(file));
    }
    from_json(value.to_string().as_bytes()).map_err(refuse)
}

fn malformed(file: &str, error: WorkflowError) -> CliError {
    match error {
        WorkflowError::Syntax {
            line,
            column,
            message,
            ..
        } => CliError::input(format!("{file}:{line}:{column}"), message),
        other => {
            let why = other.to_string();
            let rest = why.strip_prefix(file).map(str::trim_start);
            CliError::input(file, rest.unwrap_or(&why))
        }
    }
}

/// Whether it is a file that `russet run` takes: its tasks stand under their names or say what
/// to run, or it is a WfFormat instance.
fn is_for_run(value: &Value) -> bool {
    let says_how = |task: &Value| task.get("run").is_some() || task.get("sleep").is_some();
    match value.get("tasks") {
        Some(Value::Object(_)) => true,
        Some(Value::Array(tasks)) => tasks.iter().any(says_how),
        _ => value.get("schemaVersion").is_some(),
    }
}

fn for_run(file: &str) -> CliError {
    let why = "this is a file for `russet run`, whose tasks are commands; a server takes a list of \
        tasks with types, which workers run: see docs/server.md and examples/server/";
    CliError::input(file, why)
}
