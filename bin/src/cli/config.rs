//! `russet config …`, and the options by which commands find their configuration.

mod check;
mod data_dir;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use russet_backends::config::QueueBackend;
use russet_core::limits::{RESOURCE_AMOUNT, TASK_RESOURCES};
use russet_core::{Lane, QueueName, ResourceName, Resources};
use russet_engine::SystemClock;

use super::serve::Listening;
use super::{CliError, Global, input, report};
use crate::config::{Config, Setting, Template};
use crate::text::aside;

pub use check::Check;
use data_dir::DataDir;

/// Where the settings of the store begin.
const STORE: &str = "[store]\n";
/// What is said of a number that only the store knows.
const PARTITIONS: &str = "# partitions is not set: a new store gets 1, and one that is there has \
    what it was made with, which `russet config check` says\n";

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct Source {
    /// The configuration, such as russet.toml; `russet config init` writes one. Without one the
    /// store is embedded and the rest has its defaults.
    #[arg(long, value_name = "FILE", env = "RUSSET_CONFIG")]
    pub config: Option<PathBuf>,
    /// One setting, such as store.backend=memory; goes before the file and before the
    /// environment, where it would be RUSSET_STORE_BACKEND.
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the embedded store is kept.
    #[command(flatten)]
    data_dir: DataDir,
}

impl Source {
    /// The configuration: the file, then the environment, then flags.
    pub(super) fn load(&self) -> Result<Config, CliError> {
        let mut settings = Self::environment();
        for text in &self.set {
            settings.push(Setting::from_flag(text)?);
        }
        let config = Config::load(self.config.as_deref(), &settings)?;
        self.data_dir.check(config.store.backend)?;
        Ok(config)
    }

    /// The directory of the embedded store, if it is given beside the configuration.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.path()
    }

    /// The settings in the environment.
    pub(super) fn environment() -> Vec<Setting> {
        // A variable that is not Unicode names nothing of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Setting::from_environment(std::env::vars_os().filter_map(text))
    }
}

/// `russet config …`
#[derive(Debug, Subcommand)]
pub enum Configure {
    /// Write a configuration file that names every setting.
    Init(Init),
    /// Connect with what is configured, and say what is wrong with it; nothing is changed.
    Check(Check),
    /// Make what is not made by using it: the DynamoDB table and the SQS queues.
    Create(Create),
    /// Print the settings that hold: the file, the environment and flags together, and the
    /// defaults of what they leave out.
    Show(Show),
}

/// `russet config init`
#[derive(Debug, Args)]
pub struct Init {
    /// Where to write it; one that is there stays as it is. `-` is standard output.
    #[arg(default_value = "russet.toml", value_name = "FILE")]
    pub file: PathBuf,
    /// The backend that it is for.
    #[arg(long, value_enum, default_value_t)]
    pub backend: Template,
}

/// `russet config create`
#[derive(Debug, Args)]
pub struct Create {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// SQS: the queues whose SQS queues are made.
    #[arg(long = "queue", value_name = "NAME", value_parser = queue_name)]
    pub queues: Vec<QueueName>,
    /// SQS: a resource that tasks of these queues need, as their --need says it; repeat it for
    /// tasks that need several at once. Tasks with other needs have SQS queues of their own.
    #[arg(long = "need", value_name = "NAME=AMOUNT", value_parser = input::amount, requires = "queues")]
    pub needs: Vec<(String, u64)>,
}

/// `russet config show`
#[derive(Debug, Args)]
pub struct Show {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: Source,
    /// Where the server would listen, and to whom.
    #[command(flatten)]
    pub listening: Listening,
}

impl Configure {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        match self {
            Self::Init(init) => init.run(global),
            Self::Check(check) => check.run(global).await,
            Self::Create(create) => create.run(global).await,
            Self::Show(show) => show.run(global),
        }
    }
}

impl Init {
    fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let text = self.backend.text();
        if self.file.as_os_str() == "-" {
            report::text(text)?;
            return Ok(ExitCode::SUCCESS);
        }
        let name = self.file.display().to_string();
        let mut file = std::fs::File::create_new(&self.file).map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::AlreadyExists => "it is there already, and stays".to_owned(),
                _ => error.to_string(),
            };
            CliError::input(name.clone(), format!("{why}; name another file, or -"))
        })?;
        let written = file.write_all(text.as_bytes());
        written.map_err(|error| CliError::input(name.clone(), error.to_string()))?;
        let next = format!("russet config check --config {name}");
        let value = serde_json::json!({"file": name, "next": next});
        report::either(global, &value, |_| {
            format!("{name} is written; edit it, then try it with `{next}`\n")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let config = self.source.load()?;
        let backend = config.backend(self.source.data_dir());
        let lanes = self.lanes()?;
        let created = backend.create(&lanes, Arc::new(SystemClock)).await?;
        let lines = |created: &Vec<String>| {
            let line = |what: &String| format!("{what} is there\n");
            created.iter().map(line).collect()
        };
        report::either(global, &created, lines)?;
        if lanes.is_empty() && backend.queue.backend == QueueBackend::Sqs && !backend.sqs.create {
            aside(
                "no SQS queue was made: --queue NAME makes those of a queue; no task of it starts before",
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The lanes whose SQS queues are made.
    fn lanes(&self) -> Result<Vec<Lane>, CliError> {
        let wrong = |why: String| CliError::input("--need", why);
        input::distinct(&self.needs).map_err(wrong)?;
        if self.needs.len() > TASK_RESOURCES {
            return Err(wrong(format!("names more than {TASK_RESOURCES} resources")));
        }
        let need = |(name, amount): &(String, u64)| match ResourceName::new(name.as_str()) {
            Ok(_) if *amount > RESOURCE_AMOUNT => {
                Err(wrong(format!("{amount} is more than {RESOURCE_AMOUNT}")))
            }
            Ok(name) => Ok((name, *amount)),
            Err(error) => Err(wrong(error.to_string())),
        };
        let needs: Resources = self.needs.iter().map(need).collect::<Result<_, _>>()?;
        let lane = |queue: &QueueName| Lane {
            queue: queue.clone(),
            resources: needs.clone(),
        };
        Ok(self.queues.iter().map(lane).collect())
    }
}

impl Show {
    fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let mut config = self.source.load()?;
        self.listening.lay_over(&mut config);
        let config = config.settled(self.source.data_dir())?;
        let wrong = |error: toml::ser::Error| {
            CliError::input("config", format!("cannot be written as TOML: {error}"))
        };
        let mut tables = toml::Table::try_from(&config).map_err(wrong)?;
        let backend = config.backend(None);
        let unused = backend.unused();
        tables.retain(|table, _| backend.uses(table) || unused.iter().any(|(t, _)| *t == table));
        let is_open = config.store.partitions.is_none();
        if global.json {
            let mut tables = serde_json::json!(tables);
            if is_open {
                tables["store"]["partitions"] = serde_json::Value::Null;
            }
            report::json(&tables)?;
        } else {
            let mut text = toml::to_string(&tables).map_err(wrong)?;
            if is_open {
                text = text.replacen(STORE, &format!("{STORE}{PARTITIONS}"), 1);
            }
            report::text(text)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn queue_name(text: &str) -> Result<QueueName, String> {
    QueueName::new(text).map_err(|error| error.to_string())
}
