use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use russet_backends::config::StoreBackend;

use crate::cli::CliError;

/// The directory of the embedded store, where it is given beside the configuration.
#[derive(Debug)]
pub struct DataDir {
    path: Option<PathBuf>,
    /// It is a flag of this command line, and not from the environment, which is for all commands.
    is_flag: bool,
}

/// How it is given.
#[derive(Debug, Args)]
struct Given {
    /// Where the embedded store is kept; ./russet-data when absent.
    #[arg(long, value_name = "DIR", env = "RUSSET_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    /// The directory, wherever it was named.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Refuses a flag that the store would have no use for: whoever gave it takes the tasks to be
    /// there.
    pub(super) fn check(&self, backend: StoreBackend) -> Result<(), CliError> {
        let path = match self.path() {
            Some(path) if self.is_flag && backend != StoreBackend::Embedded => path.display(),
            _ => return Ok(()),
        };
        let backend = backend.as_str();
        let why = format!(
            "nothing is kept in {path}, since [store] backend is {backend:?}: leave --data-dir out, or set the backend to \"embedded\""
        );
        Err(CliError::input("--data-dir", why))
    }
}

impl FromArgMatches for DataDir {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let source = matches.value_source("data_dir");
        Ok(Self {
            path: Given::from_arg_matches(matches)?.data_dir,
            is_flag: source == Some(ValueSource::CommandLine),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for DataDir {
    fn augment_args(command: Command) -> Command {
        Given::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Given::augment_args_for_update(command)
    }
}
