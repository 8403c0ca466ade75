//! `russet submit`

mod bulk;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use russet::Client;
use russet::wire::{DependsOn, SubmitTask};
use russet_core::limits::RETRIES_MAX;
use russet_core::{Status, TaskId};

use super::tasks::{FOR_EVER, outcome};
use super::{CliError, Global, input, report};

/// `russet submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// What kind of work the task is; workers choose the handler by it.
    #[arg(
        long = "type",
        short = 't',
        value_name = "TYPE",
        required_unless_present = "file"
    )]
    pub kind: Option<String>,
    /// The queue; `default` when absent.
    #[arg(long)]
    pub queue: Option<String>,
    /// What the handler gets: JSON, @FILE to read it from a file, or - from standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub payload: Option<String>,
    /// 0 to 9, 9 most urgent; 4 when absent.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=9), allow_negative_numbers = true)]
    pub priority: Option<u8>,
    /// How long to wait before it may start, such as 30s or 5m.
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    pub delay: Option<Duration>,
    /// Most further tries after a first failure; 10 when absent.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(RETRIES_MAX)),
        allow_negative_numbers = true
    )]
    pub max_retries: Option<u32>,
    /// How long one attempt may take.
    #[arg(long, value_parser = input::duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// An idempotency key: the same submission under it again names the same task.
    #[arg(long)]
    pub key: Option<String>,
    /// Tasks that it waits for.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub depends_on: Vec<TaskId>,
    /// What a worker must have free, such as cpu=2; may be repeated.
    #[arg(long = "need", value_name = "NAME=AMOUNT", value_parser = input::amount)]
    pub needs: Vec<(String, u64)>,
    /// Wait until it has ended; fails unless it succeeded.
    #[arg(long)]
    pub wait: bool,
    /// Submit many: one JSON object a line, as `POST /v1/tasks` takes it; - for standard input.
    #[arg(
        long,
        short = 'f',
        value_name = "FILE|-",
        conflicts_with_all = ["kind", "queue", "payload", "priority", "delay", "max_retries",
            "timeout", "key", "depends_on", "needs", "wait"]
    )]
    pub file: Option<String>,
}

impl Submit {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        if let Some(file) = &self.file {
            return bulk::submit(file, global).await;
        }
        let (task, client) = (self.task()?, global.client()?);
        let submitted = client.submit(task).await?;
        if !global.json || self.wait {
            report::warnings(&submitted.warnings);
        }
        if self.wait {
            return wait(&client, submitted.task, global).await;
        }
        if global.quiet && !global.json {
            report::line(submitted.task)?;
            return Ok(ExitCode::SUCCESS);
        }
        report::either(global, &submitted, |submitted| match submitted.existing {
            true => format!("{} had been submitted before\n", submitted.task),
            false => format!("{} submitted\n", submitted.task),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn task(&self) -> Result<SubmitTask, CliError> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let payload = self
            .payload
            .as_deref()
            .map(|text| input::json("--payload", text));
        Ok(SubmitTask {
            kind: self.kind.clone().unwrap_or_default(),
            queue: self.queue.clone(),
            payload: payload.transpose()?,
            priority: self.priority,
            delay_ms: self.delay.map(ms),
            max_retries: self.max_retries,
            timeout_ms: self.timeout.map(ms),
            idempotency_key: self.key.clone(),
            dependencies: self
                .depends_on
                .iter()
                .map(|id| DependsOn::from(*id))
                .collect(),
            resource_requirements: self.needs.iter().cloned().collect(),
            ..SubmitTask::default()
        })
    }
}

async fn wait(client: &Client, id: TaskId, global: &Global) -> Result<ExitCode, CliError> {
    let task = client.wait(id, FOR_EVER).await?;
    report::either(global, &task, outcome)?;
    Ok(match task.status {
        Status::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
