use std::io;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, CliError};

/// `russet completions SHELL`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell; with bash: `russet completions bash > /etc/bash_completion.d/russet`
    pub shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        generate(self.shell, &mut Cli::command(), "russet", &mut io::stdout());
        Ok(ExitCode::SUCCESS)
    }
}
