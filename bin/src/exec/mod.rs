//! Runs a configured command as one attempt of a task: payload on standard input, result from
//! standard output, verdict from the exit status. The command is the operator's; nothing of a
//! task ever becomes part of it.

mod group;
pub mod guard;
pub mod limits;
mod output;
mod program;
mod run;

#[cfg(test)]
mod tests;

pub use guard::Guard;
pub use program::{Program, ProgramError};
pub use run::{Job, Ran, run};
