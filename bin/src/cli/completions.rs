use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, CliError, report};

/// `russet completions SHELL`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell; with bash: `russet completions bash > /etc/bash_completion.d/russet`
    pub shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        // What generates it panics when it cannot write.
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "russet", &mut script);
        report::text(String::from_utf8_lossy(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}
