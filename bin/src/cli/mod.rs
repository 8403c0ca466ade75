//! The command line: one file per command.

mod bench;
mod completions;
mod config;
mod error;
mod events;
mod input;
mod migrate;
mod patience;
mod queues;
mod report;
mod run;
mod serve;
mod session;
mod submit;
mod tasks;
mod worker;
mod workflows;

use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use error::CliError;

use crate::exec::guard;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "russet",
    version,
    about = "A durable task queue, scheduler and worker pool in one binary",
    after_help = "Exit status: 0 it worked, 1 it failed, 2 the command line or its input cannot be, \
        3 what was waited for has ended and is no longer kept."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The server; or several nodes of one store, with commas between: when one fails the next
    /// is asked, and `events` follows all of them.
    #[arg(
        long,
        global = true,
        env = "RUSSET_URL",
        default_value = "http://127.0.0.1:7718",
        help_heading = "Global options"
    )]
    pub url: String,
    /// The token that the server wants.
    #[arg(
        long,
        global = true,
        env = "RUSSET_TOKEN",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub token: Option<String>,
    /// Print JSON: one document, or one line for each item of a long list; errors as problem
    /// details on standard error.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print ids only, or nothing.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Execute a workflow file here, with its own scheduler and workers.
    Run(run::Run),
    /// Serve the HTTP API.
    Serve(serve::Serve),
    /// Write a configuration, and try it.
    #[command(subcommand)]
    Config(config::Configure),
    /// Move everything from an embedded store to another store.
    Migrate(migrate::Migrate),
    /// Run a command for every task of some queues.
    Worker(worker::Work),
    /// Submit one task, or many from a file.
    Submit(Box<submit::Submit>),
    /// Look at tasks, and steer them.
    #[command(subcommand)]
    Tasks(tasks::Tasks),
    /// Look at queues, and steer them.
    #[command(subcommand)]
    Queues(queues::Queues),
    /// Submit workflows, and look at them.
    #[command(subcommand)]
    Workflows(workflows::Workflows),
    /// Follow what happens on the server, as it happens.
    Events(events::Events),
    /// Measure this machine and this build.
    Bench(bench::Bench),
    /// Print a script that completes russet's command lines in a shell.
    Completions(completions::Completions),
    /// Ends the commands of a worker that was killed.
    #[command(name = guard::COMMAND, hide = true)]
    Guard,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return error::usage(&error),
    };
    let global = cli.global.clone();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => error.report(&global),
    }
}

fn parse() -> Result<Cli, clap::Error> {
    let matches = grouped(Cli::command()).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// The command, of which no group has an answer of its own to a command line that ends with it:
/// clap's depends on options, and on the environment, being there. See [`error::usage`].
fn grouped(command: clap::Command) -> clap::Command {
    let command = command.arg_required_else_help(false);
    command.mut_subcommands(grouped)
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let global = cli.global;
    match cli.command {
        Command::Run(run) => run.run(&global),
        Command::Serve(serve) => serve.run(&global),
        Command::Config(configure) => session::block_on(configure.run(&global)),
        Command::Migrate(migrate) => session::block_on(migrate.run(&global)),
        Command::Worker(work) => work.run(&global),
        Command::Submit(submit) => session::block_on(submit.run(&global)),
        Command::Tasks(tasks) => session::block_on(tasks.run(&global)),
        Command::Queues(queues) => session::block_on(queues.run(&global)),
        Command::Workflows(workflows) => session::block_on(workflows.run(&global)),
        Command::Events(events) => session::block_on(events.run(&global)),
        Command::Bench(bench) => bench.run(&global),
        Command::Completions(completions) => completions.run(),
        Command::Guard => {
            guard::stand();
            Ok(ExitCode::SUCCESS)
        }
    }
}
