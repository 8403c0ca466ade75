use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::Problems;
use super::node::{Budget, Node};
use super::{Workflow, WorkflowError, limits, russet, wfformat};

/// Reads and checks a workflow file.
///
/// `.json` is read as JSON, `.yaml` and `.yml` as YAML; otherwise what begins with `{` is JSON.
pub fn read(file: &Path) -> Result<Workflow, WorkflowError> {
    let opened = File::open(file).map_err(|reason| WorkflowError::Unreadable {
        file: file.to_owned(),
        reason,
    })?;
    read_from(file, opened)
}

/// Reads and checks a workflow that comes from standard input.
pub fn read_stdin() -> Result<Workflow, WorkflowError> {
    read_from(Path::new("stdin"), std::io::stdin())
}

fn read_from(file: &Path, from: impl Read) -> Result<Workflow, WorkflowError> {
    let mut bytes = Vec::new();
    let read = from.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|reason| WorkflowError::Unreadable {
        file: file.to_owned(),
        reason,
    })?;
    parse(file, &bytes)
}

/// Checks the content of a workflow file. `file` names it in errors, hints at its syntax, and names the workflow
/// if the content does not; it need not exist.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Workflow, WorkflowError> {
    let root = node(file, bytes)?;
    let name = default_name(file);
    let mut problems = Problems::default();
    let workflow = if wfformat::is_wfformat(&root) {
        wfformat::check(&root, &name, &mut problems)
    } else {
        russet::check(&root, &name, &mut problems)
    };
    problems.settle(file, workflow)
}

/// The content of a file, whatever it means.
pub(super) fn node(file: &Path, bytes: &[u8]) -> Result<Node, WorkflowError> {
    if bytes.len() as u64 > limits::FILE_BYTES {
        return Err(WorkflowError::TooLarge {
            file: file.to_owned(),
            limit_bytes: limits::FILE_BYTES,
        });
    }
    parse_text(file, bytes).map_err(|flaw| match is_configuration(file) {
        true => WorkflowError::Configuration {
            file: file.to_owned(),
        },
        false => WorkflowError::Syntax {
            file: file.to_owned(),
            line: flaw.line.max(1),
            column: flaw.column.max(1),
            message: flaw.message,
        },
    })
}

/// Whether a file that is neither YAML nor JSON is meant for the server, by its name.
fn is_configuration(file: &Path) -> bool {
    let ending = file.extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

struct Flaw {
    line: u64,
    column: u64,
    message: String,
}

fn parse_text(file: &Path, bytes: &[u8]) -> Result<Node, Flaw> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(&bytes[..error.valid_up_to()]);
        Flaw {
            line,
            column,
            message: "the file is not UTF-8 text from here on".to_owned(),
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Flaw {
            line: 1,
            column: 1,
            message: "the file is empty".to_owned(),
        });
    }
    let extension = file.extension().and_then(|extension| extension.to_str());
    let is_json = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => text.trim_start().starts_with('{'),
    };
    let budget = Budget::default();
    if is_json {
        parse_json(text, &budget)
    } else {
        parse_yaml(text, &budget)
    }
}

fn parse_json(text: &str, budget: &Budget) -> Result<Node, Flaw> {
    use serde::de::DeserializeSeed;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = budget
        .seed()
        .deserialize(&mut deserializer)
        .and_then(|node| deserializer.end().map(|()| node));
    parsed.map_err(|error| {
        let (line, column) = (error.line() as u64, error.column() as u64);
        let suffix = format!(" at line {line} column {column}");
        Flaw {
            line,
            column,
            message: without(error.to_string(), &suffix),
        }
    })
}

fn parse_yaml(text: &str, budget: &Budget) -> Result<Node, Flaw> {
    use serde::de::DeserializeSeed;
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(
        text,
        yaml_options(),
        |deserializer| budget.seed().deserialize(deserializer),
    );
    parsed.map_err(|error| {
        let location = error.location();
        let (line, column) = location.map_or((0, 0), |at| (at.line(), at.column()));
        let suffix = format!(" at line {line}, column {column}");
        Flaw {
            line,
            column,
            message: without(
                error.render_with_formatter(&serde_saphyr::UserMessageFormatter),
                &suffix,
            ),
        }
    })
}

/// Plain YAML 1.2 values. Repeated keys pass, since the checks name them all; sizes are held by [`Budget`].
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 4 * limits::FILE_VALUES,
            max_nodes: 2 * limits::FILE_VALUES,
            max_merge_keys: 2 * limits::TASKS,
            max_documents: 2,
            enforce_alias_anchor_ratio: false,
        },
    }
}

/// The file's stem as a name: what a name cannot hold becomes `-`.
fn default_name(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy());
    let stem = stem.unwrap_or_default();
    let tidy = stem.chars().map(|letter| match letter {
        'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | ':' | '-' => letter,
        _ => '-',
    });
    let name: String = tidy.take(limits::NAME_CHARS).collect();
    if name.is_empty() {
        return "workflow".to_owned();
    }
    name
}

/// Line and column, both from 1, just behind `before`.
fn position(before: &[u8]) -> (u64, u64) {
    let line = before.split(|byte| *byte == b'\n').count() as u64;
    let last = before
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let column = String::from_utf8_lossy(last).chars().count() as u64 + 1;
    (line, column)
}

fn without(mut message: String, suffix: &str) -> String {
    if message.ends_with(suffix) {
        message.truncate(message.len() - suffix.len());
    }
    message
}

#[cfg(test)]
mod tests;
