//! `russet submit`

mod bulk;
mod options;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use russet::Client;
use russet::wire::{DependsOn, RetryView, SubmitTask, Time, WindowView};
use russet_core::limits::{PRIORITY_MAX, RETRIES_MAX};
use russet_core::{IfUnsatisfied, Status, TaskId};

use super::tasks::{FOR_EVER, outcome};
use super::{CliError, Global, input, patience, report};
use crate::text::aside;

/// `russet submit`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["kind", "file"]).required(true))]
pub struct Submit {
    /// What kind of work the task is; workers choose the handler by it.
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    pub kind: Option<String>,
    /// Its identity, such as the one that an earlier try named: the same command with the same id
    /// submits one task, however often it is repeated.
    #[arg(long, value_name = "ID")]
    pub id: Option<TaskId>,
    /// The queue; `default` when absent.
    #[arg(long)]
    pub queue: Option<String>,
    /// What the handler gets: JSON, @FILE to read it from a file, or - from standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub payload: Option<String>,
    /// 0 to 9, 9 most urgent; 4 when absent.
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = input::whole::<u8>(0..=u64::from(PRIORITY_MAX)))]
    pub priority: Option<u8>,
    /// How long to wait before it may start, such as 30s or 5m.
    #[arg(long, value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub delay: Option<Duration>,
    /// When it may start, such as 2026-01-31T08:00:00Z; instead of --delay.
    #[arg(long, value_parser = input::time, value_name = "TIME", conflicts_with = "delay")]
    pub scheduled_at: Option<Time>,
    /// It is dead-lettered when nobody started it within this time.
    #[arg(long, value_parser = input::some_duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub expires_in: Option<Duration>,
    /// It is dead-lettered when nobody started it by then; instead of --expires-in.
    #[arg(long, value_parser = input::time, value_name = "TIME", conflicts_with = "expires_in")]
    pub expires_at: Option<Time>,
    /// Most further tries after a first failure, 0 to 10,000; 10 when absent.
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = input::whole::<u32>(0..=u64::from(RETRIES_MAX)))]
    pub max_retries: Option<u32>,
    /// How long the first backoff is, 1s when absent; each later one is twice as long.
    #[arg(long, value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub retry_delay: Option<Duration>,
    /// The longest backoff, also of the first one; 1h when absent, or the first one where that is
    /// longer.
    #[arg(long, value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub max_retry_delay: Option<Duration>,
    /// How much is added to a backoff at most, at random, in percent of it: 0 to 100, 10 when
    /// absent.
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true,
        value_parser = input::whole::<u8>(0..=100))]
    pub retry_jitter: Option<u8>,
    /// How long one attempt may take.
    #[arg(long, value_parser = input::some_duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub timeout: Option<Duration>,
    /// How long a lease lasts without a heartbeat, 30s when absent.
    #[arg(long, value_parser = input::some_duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub visibility_timeout: Option<Duration>,
    /// How long it is kept after its end; as its queue says when absent.
    #[arg(long, value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub retention: Option<Duration>,
    /// An idempotency key: the same submission under it again names the same task.
    #[arg(long)]
    pub key: Option<String>,
    /// How long the key names the task: a duration, or while_live; a day when absent.
    #[arg(long, value_name = "DURATION|while_live", value_parser = options::window,
        requires = "key", allow_hyphen_values = true)]
    pub key_window: Option<WindowView>,
    /// Tasks that it waits for: ID for their success, ID:completion or ID:failure for another
    /// end.
    #[arg(long, value_name = "ID[:END]", num_args = 1.., value_parser = options::dependency)]
    pub depends_on: Vec<DependsOn>,
    /// What becomes of it when a dependency cannot be satisfied: cancel (when absent), dead or
    /// run.
    #[arg(long, value_name = "WHAT", value_parser = options::if_unsatisfied)]
    pub if_unsatisfied: Option<IfUnsatisfied>,
    /// What a worker must have free, such as cpu=2; may be repeated.
    #[arg(long = "need", value_name = "NAME=AMOUNT", value_parser = input::amount)]
    pub needs: Vec<(String, u64)>,
    /// What to keep beside it: a JSON object, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub metadata: Option<String>,
    /// A text that chooses the partition: tasks with equal ones share it.
    #[arg(long, value_name = "TEXT")]
    pub partition_key: Option<String>,
    /// Wait until it has ended; fails unless it succeeded. Exit status 3 says that how it ended is
    /// not known any more, since its retention was over.
    #[arg(long)]
    pub wait: bool,
    /// Submit many: one JSON object a line, as `POST /v1/tasks` takes it; - for standard input.
    #[arg(
        long,
        short = 'f',
        value_name = "FILE|-",
        conflicts_with_all = ["kind", "id", "queue", "payload", "priority", "delay", "scheduled_at",
            "expires_in", "expires_at", "max_retries", "retry_delay", "max_retry_delay",
            "retry_jitter", "timeout", "visibility_timeout", "retention", "key", "key_window",
            "depends_on", "if_unsatisfied", "needs", "metadata", "partition_key", "wait"]
    )]
    pub file: Option<String>,
}

impl Submit {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        if let Some(file) = &self.file {
            return bulk::submit(file, global).await;
        }
        let (task, client) = (self.task()?, global.client()?);
        let task = client.identified(task).await?;
        let id = task.id.filter(|_| self.key.is_none());
        let submitted = client.submit(task).await;
        let mut submitted = submitted.inspect_err(|error| tell_of_doubt(error, id))?;
        // Unless the user names it, it is named here, and so it is no other's.
        submitted.existing &= self.key.is_some() || self.id.is_some();
        if !global.json || self.wait {
            report::warnings(&submitted.warnings);
        }
        if self.wait {
            report::waiting_for(global, submitted.task, submitted.existing)?;
            return wait(&client, submitted.task, global).await;
        }
        if global.quiet && !global.json {
            report::line(submitted.task)?;
            return Ok(ExitCode::SUCCESS);
        }
        let became = report::submitted(submitted.existing);
        let ended = submitted.status.filter(|now| now.is_terminal());
        report::either(global, &submitted, |submitted| match ended {
            Some(status) if !submitted.existing => {
                format!("{} {became}, and already {status}\n", submitted.task)
            }
            _ => format!("{} {became}\n", submitted.task),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn task(&self) -> Result<SubmitTask, CliError> {
        input::distinct(&self.needs).map_err(|why| CliError::input("--need", why))?;
        let json = |option: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| input::json(option, text)).transpose()
        };
        let retry = RetryView {
            backoff_ms: self.retry_delay.map(input::ms),
            backoff_cap_ms: self.max_retry_delay.map(input::ms),
            jitter_percent: self.retry_jitter,
        };
        Ok(SubmitTask {
            id: self.id,
            kind: self.kind.clone().unwrap_or_default(),
            queue: self.queue.clone(),
            payload: json("--payload", &self.payload)?,
            priority: self.priority,
            delay_ms: self.delay.map(input::ms),
            scheduled_at: self.scheduled_at,
            expires_in_ms: self.expires_in.map(input::ms),
            expires_at: self.expires_at,
            max_retries: self.max_retries,
            retry: (retry != RetryView::default()).then_some(retry),
            timeout_ms: self.timeout.map(input::ms),
            visibility_timeout_ms: self.visibility_timeout.map(input::ms),
            retention_ms: self.retention.map(input::ms),
            idempotency_key: self.key.clone(),
            idempotency_window_ms: self.key_window,
            dependencies: self.depends_on.clone(),
            if_unsatisfied: self.if_unsatisfied,
            resource_requirements: self.needs.iter().cloned().collect(),
            metadata: json("--metadata", &self.metadata)?,
            partition_key: self.partition_key.clone(),
            ..SubmitTask::default()
        })
    }
}

/// Says how to find out what became of a submission whose answer was lost.
fn tell_of_doubt(error: &russet::Error, id: Option<TaskId>) {
    if error.is_unchanged() {
        return;
    }
    match id {
        Some(id) => aside(format_args!(
            "if it was submitted, it is task {id}: `russet tasks get {id}` says so; with --id {id} the same command can be repeated safely"
        )),
        None => aside("submit it again with the same --key: it is not done twice"),
    }
}

async fn wait(client: &Client, id: TaskId, global: &Global) -> Result<ExitCode, CliError> {
    let task = patience::ended(client, id, FOR_EVER, global).await?;
    report::either(global, &task, outcome)?;
    Ok(match task.status {
        Status::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
