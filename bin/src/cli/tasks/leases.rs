//! `russet tasks lease|extend|complete|fail|release`: a worker in a script.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use russet::Client;
use russet::limits::LEASE_TASKS;
use russet::wire::{
    CompleteLease, ExtendLease, FailLease, LeaseRequest, ProgressReport, ReleaseLease, TaskView,
    Time,
};
use russet_core::{ErrorKind, LeaseId, TaskId};

use super::view;
use crate::cli::{CliError, Global, input, report};
use crate::text::{aside, attempt, relative};

/// `russet tasks lease`
#[derive(Debug, Args)]
pub struct Lease {
    /// A queue to take tasks from; may be repeated.
    #[arg(long = "queue", value_name = "QUEUE", num_args = 1.., default_value = "default")]
    pub queues: Vec<String>,
    /// What the worker is called, for people to read.
    #[arg(long, default_value = "russet-cli")]
    pub worker: String,
    /// Most tasks to take, 1 to 1,000.
    #[arg(long, default_value_t = 1, value_name = "N", allow_negative_numbers = true,
        value_parser = input::whole::<u16>(1..=LEASE_TASKS as u64))]
    pub max: u16,
    /// How long to wait for the first one, at most 60s.
    #[arg(long, value_name = "DURATION", value_parser = input::duration, default_value = "0",
        allow_hyphen_values = true)]
    pub wait: Duration,
    /// How long the leases last without a heartbeat; as each task says when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = input::some_duration,
        allow_hyphen_values = true)]
    pub lasts: Option<Duration>,
    /// The resources that are free, such as cpu=4,gpu=1; when absent every task fits.
    #[arg(long, value_name = "NAME=AMOUNT,…", value_parser = input::amounts)]
    pub capacity: Option<std::vec::Vec<(String, u64)>>,
}

/// The lease that is held.
#[derive(Clone, Copy, Debug, Args)]
pub struct Held {
    /// The task.
    pub id: TaskId,
    /// Its lease, as `russet tasks lease` printed it.
    pub lease: LeaseId,
}

/// What there is to say about progress.
#[derive(Debug, Args)]
pub struct Progress {
    /// How far the work is, 0 to 100.
    #[arg(long, value_parser = input::whole::<u8>(0..=100), allow_negative_numbers = true)]
    pub percent: Option<u8>,
    /// What it does, for people to read.
    #[arg(long, value_name = "TEXT")]
    pub progress: Option<String>,
    /// Where a later attempt can go on: JSON, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub checkpoint: Option<String>,
}

/// `russet tasks extend`
#[derive(Debug, Args)]
pub struct Extend {
    #[command(flatten)]
    pub held: Held,
    /// How long the lease lasts from now on; as the task says when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = input::some_duration,
        allow_hyphen_values = true)]
    pub lasts: Option<Duration>,
    #[command(flatten)]
    pub progress: Progress,
}

/// `russet tasks complete`
#[derive(Debug, Args)]
pub struct Complete {
    #[command(flatten)]
    pub held: Held,
    /// The task's result: JSON, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub result: Option<String>,
}

/// `russet tasks fail`
#[derive(Debug, Args)]
pub struct Fail {
    #[command(flatten)]
    pub held: Held,
    /// What went wrong.
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// Trying again is of no use.
    #[arg(long = "final", conflicts_with = "retry_after")]
    pub is_final: bool,
    /// How long to wait before the next try, instead of the backoff.
    #[arg(long, value_name = "DURATION", value_parser = input::duration,
        allow_hyphen_values = true)]
    pub retry_after: Option<Duration>,
}

/// `russet tasks release`
#[derive(Debug, Args)]
pub struct Release {
    #[command(flatten)]
    pub held: Held,
    /// How long to wait before it is ready again; at once when absent.
    #[arg(long, value_name = "DURATION", value_parser = input::duration,
        allow_hyphen_values = true)]
    pub delay: Option<Duration>,
    #[command(flatten)]
    pub progress: Progress,
}

impl Progress {
    fn report(&self) -> Result<Option<ProgressReport>, CliError> {
        let checkpoint = self.checkpoint.as_deref();
        let report = ProgressReport {
            percent: self.percent,
            message: self.progress.clone(),
            checkpoint: checkpoint
                .map(|text| input::json("--checkpoint", text))
                .transpose()?,
        };
        Ok(Some(report).filter(|report| *report != ProgressReport::default()))
    }
}

impl Lease {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let capacity = self.capacity.as_ref();
        let request = LeaseRequest {
            queues: self.queues.clone(),
            worker: self.worker.clone(),
            capacity: capacity.map(|amounts| amounts.iter().cloned().collect()),
            max: Some(self.max.into()),
            visibility_timeout_ms: self.lasts.map(input::ms),
            wait_ms: Some(input::ms(self.wait)),
        };
        let tasks = client.lease(request).await?;
        if tasks.is_empty() && !global.json && !global.quiet {
            aside("no task is ready");
        }
        for task in &tasks {
            match (global.json, global.quiet) {
                (true, _) => report::json(task)?,
                (false, true) => report::line(held(task))?,
                (false, false) => report::line(format!(
                    "{} {} attempt {}, lease expires {}",
                    held(task),
                    task.kind,
                    attempt(task.attempt),
                    task.lease_expires_at
                        .map_or_else(|| "soon".to_owned(), expiry)
                ))?,
            }
        }
        Ok(match tasks.is_empty() {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

/// The task and its lease, as the other commands take them.
fn held(task: &TaskView) -> String {
    let lease = task.lease_id.map(|lease| lease.to_string());
    format!("{} {}", task.id, lease.unwrap_or_default())
}

fn expiry(at: Time) -> String {
    relative(at.timestamp().as_millis(), report::now_ms())
}

impl Extend {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let extend = ExtendLease {
            task: self.held.id,
            lease_id: self.held.lease,
            visibility_timeout_ms: self.lasts.map(input::ms),
            progress: self.progress.report()?,
        };
        let extended = only(client.extend(vec![extend]).await)?;
        let id = self.held.id;
        report::either(global, &extended, |extended| {
            let stop = match extended.cancel_requested {
                true => "; it is asked to stop",
                false => "",
            };
            format!(
                "{id} lease expires {}{stop}\n",
                expiry(extended.lease_expires_at)
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Complete {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let result = self.result.as_deref();
        let complete = CompleteLease {
            task: self.held.id,
            lease_id: self.held.lease,
            result: result
                .map(|text| input::json("--result", text))
                .transpose()?,
            follow_ups: Vec::new(),
            progress: None,
        };
        let now = only(client.complete(vec![complete]).await)?;
        report::either(global, &now, view::now)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Fail {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let fail = FailLease {
            task: self.held.id,
            lease_id: self.held.lease,
            message: self.message.clone(),
            kind: self.is_final.then_some(ErrorKind::Final),
            retry_after_ms: self.retry_after.map(input::ms),
            progress: None,
        };
        let now = only(client.fail(vec![fail]).await)?;
        report::either(global, &now, view::now)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Release {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let release = ReleaseLease {
            task: self.held.id,
            lease_id: self.held.lease,
            delay_ms: self.delay.map(input::ms),
            progress: self.progress.report()?,
        };
        let now = only(client.release(vec![release]).await)?;
        report::either(global, &now, view::now)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The answer to the one item that was sent.
fn only<T>(mut answers: Vec<Result<T, russet::Error>>) -> Result<T, CliError> {
    let none = || CliError::Unsuccessful("the server answered nothing".to_owned());
    Ok(answers.pop().ok_or_else(none)??)
}
