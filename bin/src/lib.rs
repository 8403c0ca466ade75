//! The one binary `russet`: the command line, the HTTP server, the worker that runs commands,
//! and the workflow files.

// The macros panic when nobody reads the output: `text::aside` and `cli::report` are in their place.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod bench;
pub mod cli;
pub mod config;
pub mod exec;
pub mod log;
pub mod run;
pub mod serve;
pub mod text;
pub mod workflow;
