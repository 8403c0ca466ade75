//! The same to many tasks, by a filter.

use std::process::ExitCode;

use clap::ValueEnum;
use russet::Client;
use russet::wire::RefusedTask;
use russet_core::Status;

use super::{Cancel, Purge, Redrive};
use crate::cli::{CliError, Global, report};
use crate::text::{counted, gist};

/// Most refusals that are told one by one.
const TOLD: usize = 20;

/// A state of a task that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Live {
    Blocked,
    Scheduled,
    Queued,
    Running,
}

impl From<Live> for Status {
    fn from(live: Live) -> Self {
        match live {
            Live::Blocked => Self::Blocked,
            Live::Scheduled => Self::Scheduled,
            Live::Queued => Self::Queued,
            Live::Running => Self::Running,
        }
    }
}

/// A state of a task that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ended {
    Succeeded,
    Dead,
    Cancelled,
}

impl From<Ended> for Status {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Succeeded => Self::Succeeded,
            Ended::Dead => Self::Dead,
            Ended::Cancelled => Self::Cancelled,
        }
    }
}

impl Cancel {
    pub(super) async fn all(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let (queue, status) = (self.queue.as_deref(), self.status.map(Status::from));
        let reason = self.reason.as_deref();
        let done = client.cancel_all(queue, status, reason).await?;
        report::either(global, &done, |done| match done.asked {
            0 => format!("{} cancelled\n", done.cancelled),
            asked => format!(
                "{} cancelled, {asked} still running: the workers are asked to stop\n",
                done.cancelled
            ),
        })?;
        ended(global, done.refused, &done.refusals, "cancelled")
    }
}

impl Purge {
    pub(super) async fn all(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let (queue, status) = (self.queue.as_deref(), self.status.map(Status::from));
        let done = client.purge_all(queue, status).await?;
        report::either(global, &done, |done| format!("{} purged\n", done.purged))?;
        ended(global, done.refused, &done.refusals, "purged")
    }
}

impl Redrive {
    pub(super) async fn all(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let done = client.redrive_all(self.queue.as_deref()).await?;
        report::either(global, &done, |done| {
            format!("{} redriven\n", done.redriven)
        })?;
        ended(global, done.refused, &done.refusals, "redriven")
    }
}

/// Fails when tasks were refused, and says which and why; in JSON the answer has said it.
fn ended(
    global: &Global,
    refused: u64,
    refusals: &[RefusedTask],
    done: &str,
) -> Result<ExitCode, CliError> {
    match refused {
        0 => return Ok(ExitCode::SUCCESS),
        _ if global.quiet || global.json => return Ok(ExitCode::FAILURE),
        _ => {}
    }
    let mut text =
        format!("{refused} could not be {done} now: try again when the reasons are gone");
    let told = refusals.iter().take(TOLD);
    for refusal in told.clone() {
        text.push_str(&format!("\n  {}: {}", refusal.task, gist(&refusal.detail)));
    }
    let more = refused.saturating_sub(told.len() as u64);
    if more > 0 {
        text.push_str(&format!("\n  and {} more", counted(more, "task")));
    }
    Err(CliError::Unsuccessful(text))
}
