//! Runs a command as one attempt of a task, in a process group of its own that nothing outlives.

mod group;
pub mod guard;
pub mod limits;
mod output;
mod program;
mod run;

#[cfg(test)]
mod tests;

pub use guard::Guard;
pub use output::end_of;
pub use program::{Program, ProgramError, keep_own_variables};
pub use run::{Job, Ran, run, run_apart};
