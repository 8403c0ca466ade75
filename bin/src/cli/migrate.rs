//! `russet migrate`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use russet_backends::config::StoreBackend;
use russet_backends::migrate;
use russet_engine::{SystemClock, SystemEntropy};

use super::config::Source;
use super::{CliError, Global, report};
use crate::config::Config;

/// `russet migrate`
#[derive(Debug, Args)]
pub struct Migrate {
    /// The embedded store that is left: where its configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// The configuration of the store that everything goes to. It must be empty, and nothing
    /// may run on it yet.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Leave the old store as it is. Unless this is given it is not opened again afterwards, so
    /// that no task can run in both.
    #[arg(long)]
    pub keep: bool,
}

impl Migrate {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let from = self.source.load()?;
        let from = from.backend(self.source.data_dir.as_deref());
        if from.store.backend != StoreBackend::Embedded {
            let why = "only an embedded store can be moved: let others drain, with their \
                       producers on the new one";
            return Err(CliError::input("[store] backend", why));
        }
        let to = Config::load(Some(&self.to), &[])?.backend(None);
        let clock = Arc::new(SystemClock);
        let old = from.store.open_embedded(clock.clone())?;
        let new = to.open(clock.clone()).await?;
        let total = old.records().map_err(migrate::MigrateError::Old)?;
        let bar = report::progress(global, total, "records");
        let entropy = SystemEntropy::new();
        let moved = migrate::copy(&old, &new, &*clock, &entropy, |moved| {
            bar.set_position(moved.records);
        });
        let moved = moved.await;
        bar.finish_and_clear();
        let moved = moved?;
        let (from, to) = (from.describe(), to.describe());
        if !self.keep {
            old.retire(&to).map_err(migrate::MigrateError::Old)?;
        }
        let value = serde_json::json!({
            "records": moved.records,
            "already_there": moved.known,
            "from": from,
            "to": to,
            "kept": self.keep,
        });
        report::either(global, &value, |_| {
            let rest = match self.keep {
                true => "the old store stays as it is: do not run both",
                false => "the old store is not opened again",
            };
            format!(
                "{} records moved from {from} to {to}; {rest}\n",
                moved.records
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
