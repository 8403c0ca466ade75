use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use russet::wire::Problem;
use russet_backends::config::ConfigError as BackendError;
use serde::Serialize;

use super::{Cli, Global};
use crate::config::ConfigError;
use crate::exec::ProgramError;
use crate::log::LogError;
use crate::run::RunError;
use crate::serve::ServeError;
use crate::text::{aside, aside_text};
use crate::workflow::{self, WorkflowError};

/// Exit status of a command that failed.
const FAILED: u8 = 1;
/// Exit status of a command line, or an input, that cannot be.
const BAD_INPUT: u8 = 2;
/// Exit status of a wait for something that has ended, and of which is not known any more how.
const NOT_KEPT: u8 = 3;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A value on the command line, or in a file that it names, cannot be.
    #[error("{field}: {why}")]
    Input {
        /// The option, or the file and line.
        field: String,
        /// What is wrong and what is allowed.
        why: String,
    },
    /// What stands in a file cannot be.
    #[error("{place}: {}{note}", .problem.detail)]
    Document {
        /// The file, and the line where it is one of many.
        place: String,
        /// What is wrong there.
        problem: Box<Problem>,
        /// What else there is to say.
        note: String,
    },
    /// A file cannot be used.
    #[error("cannot read {name}: {why}")]
    File {
        /// Its name.
        name: String,
        /// What the system said.
        why: String,
    },
    /// The server refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The server cannot be reached.
    #[error(
        "cannot reach {server}: {why}; start one with `russet serve`, or name another with --url or RUSSET_URL"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The client could not do it.
    #[error(transparent)]
    Client(russet::Error),
    /// The configuration cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store or the queue cannot be used.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The store could not be moved.
    #[error(transparent)]
    Migrate(#[from] russet_backends::migrate::MigrateError),
    /// The log filter cannot be.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The command for tasks cannot be.
    #[error("--exec: {0}")]
    Program(#[from] ProgramError),
    /// The server cannot run.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The workflow could not be run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What was waited for has ended, and is no longer kept.
    #[error(
        "{what} has ended and is no longer kept: how it ended is not known any more; a longer retention keeps it, --retention of a task or --keep-finished and --keep-dead of its queue"
    )]
    NotKept {
        /// The task or workflow.
        what: String,
    },
    /// What was asked for was done, and did not go well.
    #[error("{0}")]
    Unsuccessful(String),
    /// The system does not give what the command needs.
    #[error("{what}: {why}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        why: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// A benchmark could not be taken.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
}

impl CliError {
    pub(super) fn input(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Input {
            field: field.into(),
            why: why.into(),
        }
    }

    /// What stands at a place of a file is refused, as the body of a request would be.
    pub(super) fn document(place: impl Into<String>, mut problem: Problem) -> Self {
        problem.detail = problem.detail.replacen("the body", "it", 1);
        Self::Document {
            place: place.into(),
            problem: Box::new(problem),
            note: String::new(),
        }
    }

    /// The same, with what else there is to say.
    pub(super) fn with_note(mut self, more: String) -> Self {
        if let Self::Document { note, .. } = &mut self {
            *note = more;
        }
        self
    }

    pub(super) fn file(name: &str, error: &io::Error) -> Self {
        Self::File {
            name: name.to_owned(),
            why: error.to_string(),
        }
    }

    /// Tells the user, and says with which status to exit.
    pub(super) fn report(&self, global: &Global) -> ExitCode {
        if matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            // Whoever read the output has seen enough.
            return ExitCode::SUCCESS;
        }
        if global.json {
            let problem = Told {
                problem: self.problem(),
                problems: self.parts(),
            };
            aside(serde_json::to_string(&problem).unwrap_or_default());
        } else {
            aside(format_args!("error: {self}"));
        }
        ExitCode::from(self.status())
    }

    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Backend(error) if error.is_outage() => FAILED,
            Self::Input { .. }
            | Self::Document { .. }
            | Self::File { .. }
            | Self::Config(_)
            | Self::Backend(_)
            | Self::Log(_)
            | Self::Program(_) => BAD_INPUT,
            Self::Client(russet::Error::Setting { .. }) => BAD_INPUT,
            Self::Refused(problem) if matches!(problem.status, 400 | 413 | 422) => BAD_INPUT,
            Self::Serve(error) if error.is_bad_input() => BAD_INPUT,
            Self::Run(error) if error.is_bad_input() => BAD_INPUT,
            Self::NotKept { .. } => NOT_KEPT,
            _ => FAILED,
        }
    }

    /// What an error says of something that was there before: when it is not found any more, it
    /// has ended and its retention is over.
    pub(super) fn of_known(self, what: impl std::fmt::Display) -> Self {
        match self {
            Self::Refused(problem) if problem.is_not_found() => Self::NotKept {
                what: what.to_string(),
            },
            other => other,
        }
    }

    fn problem(&self) -> Problem {
        let (code, field) = match self {
            Self::Refused(problem) => return Problem::clone(problem),
            Self::Document { problem, .. } => {
                let mut problem = Problem::clone(problem);
                problem.detail = self.to_string();
                return problem;
            }
            Self::Input { field, .. } => ("invalid", Some(field.clone())),
            Self::File { name, .. } => ("unreadable", Some(name.clone())),
            Self::Program(_) => ("invalid", Some("--exec".to_owned())),
            Self::Config(ConfigError::Setting { setting, .. }) => {
                ("invalid", Some(setting.clone()))
            }
            Self::Config(_) | Self::Log(_) => ("invalid", None),
            Self::Unsuccessful(_) => ("unsuccessful", None),
            Self::NotKept { .. } => ("not_kept", None),
            Self::Migrate(_) => ("not_moved", None),
            Self::Unreachable { .. } => ("unreachable", None),
            Self::Client(russet::Error::Lost { .. }) => ("lost", None),
            Self::Client(russet::Error::Setting { .. }) => ("invalid", None),
            Self::Client(_) => ("failed", None),
            Self::Run(error) => (error.code(), error.field()),
            Self::Bench(_)
            | Self::Backend(_)
            | Self::Serve(_)
            | Self::System { .. }
            | Self::Output(_) => ("failed", None),
        };
        let status = match self {
            Self::Unreachable { .. } => 503,
            Self::NotKept { .. } => 410,
            Self::Backend(error) if error.is_outage() => 503,
            Self::Client(russet::Error::Lost { .. }) => 504,
            Self::Run(error) if error.is_full() => 507,
            _ if self.status() == BAD_INPUT => 422,
            _ => 500,
        };
        let mut problem = Problem::new(code, status, self.to_string());
        problem.field = field;
        problem
    }

    /// What is wrong, one by one, where that is more than one thing.
    fn parts(&self) -> &[workflow::Problem] {
        match self {
            Self::Run(RunError::Workflow(WorkflowError::Problems { problems, .. })) => problems,
            _ => &[],
        }
    }
}

/// A problem as it is told in JSON.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    problem: Problem,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [workflow::Problem],
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl From<russet::Error> for CliError {
    fn from(error: russet::Error) -> Self {
        match error {
            russet::Error::Refused(problem) => Self::Refused(problem),
            russet::Error::Unreachable { server, why } => Self::Unreachable { server, why },
            russet::Error::Setting { what, why } => match what {
                "the address" => Self::input("--url", why),
                "the token" => Self::input("--token", why),
                _ => Self::Client(russet::Error::Setting { what, why }),
            },
            other => Self::Client(other),
        }
    }
}

/// Reports a command line that clap does not take, or the help that was asked for.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.kind() == ErrorKind::MissingSubcommand
        && let Some(ContextValue::String(group)) = error.get(ContextKind::InvalidSubcommand)
    {
        return unfinished(group, wants_json);
    }
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        // What follows the first paragraph is the usage.
        let detail = text.split("\n\n").next().unwrap_or(&text).trim();
        let detail = detail.strip_prefix("error: ").unwrap_or(detail);
        let mut problem = Problem::new("usage", 422, detail);
        problem.field = named(error, ContextKind::InvalidArg).map(|names| option(&names));
        problem.limit = named(error, ContextKind::ValidValue).map(|names| names.join(", "));
        aside(serde_json::to_string(&problem).unwrap_or_default());
    } else {
        // Without an output there is nobody to tell.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT))
}

/// What clap says of one side of an error.
fn named(error: &clap::Error, what: ContextKind) -> Option<Vec<String>> {
    match error.get(what)? {
        ContextValue::String(name) => Some(vec![name.clone()]),
        ContextValue::Strings(names) if !names.is_empty() => Some(names.clone()),
        _ => None,
    }
}

/// The first option that is named, without what stands for its value.
fn option(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    first.split([' ', '=']).next().unwrap_or(first).to_owned()
}

/// Shows what can follow a command line that ends with a group of commands, such as
/// `russet tasks`.
fn unfinished(group: &str, wants_json: bool) -> ExitCode {
    let mut root = Cli::command();
    root.build();
    let words = group.split_whitespace().skip(1);
    let command = words.fold(&root, |command, word| {
        command.find_subcommand(word).unwrap_or(command)
    });
    if wants_json {
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let names: Vec<_> = shown.map(clap::Command::get_name).collect();
        let detail = format!("{group} needs one of its commands: {}", names.join(", "));
        let problem = Problem::new("usage", 422, detail);
        aside(serde_json::to_string(&problem).unwrap_or_default());
    } else {
        let help = command.clone().render_help();
        let is_plain = !io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some();
        match is_plain {
            true => aside_text(help),
            false => aside_text(help.ansi()),
        }
    }
    ExitCode::from(BAD_INPUT)
}
