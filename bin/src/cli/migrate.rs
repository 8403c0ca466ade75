//! `russet migrate`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use russet_backends::config::{Config as Backend, ConfigError, DATA_DIR, StoreBackend};
use russet_backends::embedded::OpenError;
use russet_backends::migrate;
use russet_engine::{Store, SystemClock, SystemEntropy};

use super::config::Source;
use super::{CliError, Global, report};
use crate::config::Config;
use crate::text::{aside, counted};

/// `russet migrate`
#[derive(Debug, Args)]
pub struct Migrate {
    /// The old store, an embedded one: where its configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// The configuration of the store that everything goes to: it names the store, and the
    /// environment may hold its address. It must be empty, and nothing may have run on it yet.
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
        let from = from.backend(self.source.data_dir());
        if from.store.backend != StoreBackend::Embedded {
            let why = "only an embedded store can be moved: let others drain, with their \
                       producers on the new one";
            return Err(CliError::input("[store] backend", why));
        }
        let clock = Arc::new(SystemClock);
        let directory = from.store.data_dir.clone();
        let directory = directory.unwrap_or_else(|| DATA_DIR.into());
        if !directory.exists() {
            let why = "there is no store here: name the directory of the old one with --data-dir";
            return Err(CliError::input(directory.display().to_string(), why));
        }
        let old = match from.store.open_embedded(clock.clone()) {
            Err(error) => return self.finish(error, clock).await,
            Ok(old) => old,
        };
        let to = self.target(Some(old.partitions()))?;
        let findings = to.examine(clock.clone()).await;
        for doubt in findings.iter().filter(|finding| finding.warning) {
            aside(format!("warning: {}", doubt.detail));
        }
        let new = to.open_for_copy(clock.clone()).await?;
        let total = old.records().map_err(migrate::MigrateError::Old)?;
        let bar = report::progress(global, total, "records");
        let entropy = SystemEntropy::new();
        let place = to.place();
        let (from, to) = (from.describe(), to.describe());
        let moved = migrate::copy(&old, &new, &place, &*clock, &entropy, |moved| {
            bar.set_position(moved.records);
        });
        let moved = moved.await;
        bar.finish_and_clear();
        let moved = moved?;
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
                "{} moved from {from} to {to}; {rest}\n",
                counted(moved.records, "record")
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// An old store that was given up holds nothing that is not in the new one: if that has gone
    /// back since to where not all of it was there, it is told so again.
    async fn finish(
        &self,
        error: ConfigError,
        clock: Arc<SystemClock>,
    ) -> Result<ExitCode, CliError> {
        if let ConfigError::Open {
            source: OpenError::Moved { to, .. },
            ..
        } = &error
        {
            let new = self.target(None).ok();
            if let Some(new) = new.filter(|new| new.describe() == *to) {
                let new = new.open_for_copy(clock.clone()).await?;
                migrate::finish(&*new.store, &*clock, &SystemEntropy::new()).await?;
            }
        }
        Err(error.into())
    }

    /// The store that everything goes to, of so many partitions. It must be named: a default is
    /// soon taken by mistake.
    fn target(&self, partitions: Option<u16>) -> Result<Backend, CliError> {
        let file = self.to.display().to_string();
        if !Config::names(&self.to, "store", "backend")? {
            let why = "does not name the store that everything goes to: [store] backend";
            return Err(CliError::input(file, why));
        }
        // Addresses and passwords are kept in the environment, and those of both stores may be.
        let mut settings = Source::environment();
        settings.retain(|setting| !matches!(setting.table(), "store" | "queue"));
        let mut to = Config::load(Some(&self.to), &settings)?.backend(None);
        if to.store.backend == StoreBackend::Memory {
            let why = "names the store in memory, which forgets everything with its process";
            return Err(CliError::input(file, why));
        }
        // A new store would be made with other partitions than the records have.
        let Some(partitions) = partitions else {
            return Ok(to);
        };
        let asked = *to.store.partitions.get_or_insert(partitions);
        if asked != partitions {
            let (old, new) = (partitions, asked);
            return Err(migrate::MigrateError::Partitions { old, new }.into());
        }
        Ok(to)
    }
}
