use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::limits;

/// Why a workflow file was refused.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// The file is missing or cannot be read.
    #[error("cannot read the workflow file {}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is larger than [`FILE_BYTES`](super::limits::FILE_BYTES).
    #[error("{} is too large for a workflow file: the limit is {limit_bytes} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The largest size that is read.
        limit_bytes: u64,
    },
    /// The file is not well-formed YAML or JSON, or not UTF-8.
    #[error("{}: line {line}, column {column}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: u64,
        /// In characters, from 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// The file is a configuration of the server.
    #[error("{name} is a configuration, not a workflow: `russet serve --config {name}` starts a server with it", name = file.display())]
    Configuration {
        /// The file.
        file: PathBuf,
    },
    /// The file is well-formed, but not a workflow that can run.
    #[error("{} has {}", file.display(), Listed(problems, *more))]
    Problems {
        /// The file.
        file: PathBuf,
        /// The problems, those of dependencies last; at most
        /// [`PROBLEMS`](super::limits::PROBLEMS).
        problems: Vec<Problem>,
        /// Further problems that were only counted.
        more: usize,
    },
}

/// Problems of one file that its error text shows.
const SHOWN: usize = 20;

/// One thing that is wrong in a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The task, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The field with its path, such as `resources.cpu`; empty when it concerns the whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong with the value and what is allowed.
    #[serde(rename = "detail")]
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            write!(f, "task {}: ", super::node::quoted(task))?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

struct Listed<'a>(&'a [Problem], usize);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.len() + self.1;
        write!(f, "{total} problem{}:", if total == 1 { "" } else { "s" })?;
        for problem in self.0.iter().take(SHOWN) {
            write!(f, "\n  - {problem}")?;
        }
        if total > SHOWN {
            write!(f, "\n  - and {} more", total - SHOWN)?;
        }
        Ok(())
    }
}

/// Collects the problems of a file while it is checked.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

/// Where in the file a value stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) task: Option<&'a str>,
    /// Put before a field's name, such as `defaults.`.
    pub(super) prefix: &'a str,
}

impl Place<'_> {
    pub(super) const FILE: Place<'static> = Place {
        task: None,
        prefix: "",
    };

    pub(super) fn task(name: &str) -> Place<'_> {
        Place {
            task: Some(name),
            prefix: "",
        }
    }
}

impl Problems {
    pub(super) fn add(&mut self, place: Place<'_>, field: &str, message: impl Into<String>) {
        if self.kept.len() >= limits::PROBLEMS {
            self.more += 1;
            return;
        }
        let field = format!("{}{field}", place.prefix);
        self.kept.push(Problem {
            task: place.task.map(str::to_owned),
            field: field.trim_end_matches('.').to_owned(),
            message: message.into(),
        });
    }

    /// `value` if nothing was wrong, else the error that lists everything.
    pub(super) fn settle<T>(self, file: &std::path::Path, value: T) -> Result<T, WorkflowError> {
        if self.kept.is_empty() {
            return Ok(value);
        }
        Err(WorkflowError::Problems {
            file: file.to_owned(),
            problems: self.kept,
            more: self.more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_problems_is_cut_and_counted() {
        let mut problems = Problems::default();
        for index in 0..limits::PROBLEMS + 5 {
            let task = format!("t{index}");
            problems.add(Place::task(&task), "run", "is empty");
        }
        let error = problems
            .settle(std::path::Path::new("w.yaml"), ())
            .expect_err("has problems");
        let text = error.to_string();
        assert_eq!(text.lines().next(), Some("w.yaml has 1005 problems:"));
        assert_eq!(
            text.lines().nth(20),
            Some("  - task \"t19\": run: is empty")
        );
        assert_eq!(text.lines().nth(21), Some("  - and 985 more"));
        assert_eq!(text.lines().count(), 22);
    }
}
