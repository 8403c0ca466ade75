//! Reads a workflow file into a checked plan.
//!
//! Two inputs: a Russet workflow (YAML or JSON, strict) and a WfFormat instance (a recorded production
//! workflow, replayed by sleeping). Both become a [`Workflow`]: plain values with resolved, acyclic
//! dependencies. Nothing here knows the scheduler.

mod dependency;
mod duration;
mod error;
mod fields;
mod graph;
mod json;
pub mod limits;
mod node;
mod read;
mod russet;
mod spec;
mod suggest;
mod task;
mod value;
mod wfformat;

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod testing;

pub use duration::{DurationError, parse_duration};
pub use error::{Problem, WorkflowError};
pub use graph::{CriticalPath, cycles};
pub use json::json;
pub use read::{parse, read, read_stdin};
pub use spec::{Dependency, Format, TaskSpec, Work, Workflow};
