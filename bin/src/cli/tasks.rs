//! `russet tasks …`

mod bulk;
mod leases;
mod list;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use russet::Client;
use russet::wire::{TaskNowView, TaskView};
use russet_core::limits::DURATION_MAX;
use russet_core::{Rejection, Status, TaskId};

use super::{CliError, Global, input, patience, report};
use crate::serve::Explanation;
use crate::text::indented;

/// How long is waited when no time is given: for ever, as good as.
pub(super) const FOR_EVER: Duration = Duration::from_millis(DURATION_MAX.as_millis());

/// `russet tasks …`
#[derive(Debug, Subcommand)]
pub enum Tasks {
    /// List tasks, by page and filter.
    List(list::List),
    /// Show tasks with everything that is known of them.
    Get(Get),
    /// Wait until tasks have ended; fails unless they succeeded.
    ///
    /// Exit status 3 says that no task failed, and that how some ended is not known any more, since
    /// their retention was over.
    Wait(Wait),
    /// Cancel tasks, or ask their workers to stop.
    Cancel(Cancel),
    /// Give tasks that are dead, or that a dependency ended, a new life.
    Redrive(Redrive),
    /// Forget tasks that have ended, before their retention is over.
    Purge(Purge),
    /// Say why a task is not running.
    Explain(Explain),
    /// Take ready tasks, as a worker does; fails when there is none.
    Lease(leases::Lease),
    /// Keep a lease alive, and report progress.
    Extend(leases::Extend),
    /// Finish a leased task well.
    Complete(leases::Complete),
    /// Report that the attempt of a leased task failed.
    Fail(leases::Fail),
    /// Give a leased task back without using a retry.
    Release(leases::Release),
}

/// `russet tasks get`
#[derive(Debug, Args)]
pub struct Get {
    /// The tasks.
    #[arg(required = true)]
    pub ids: Vec<TaskId>,
}

/// `russet tasks wait`
#[derive(Debug, Args)]
pub struct Wait {
    /// The tasks.
    #[arg(required = true)]
    pub ids: Vec<TaskId>,
    /// How long to wait at most, such as 30s or 5m; for ever when absent.
    #[arg(long, value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub timeout: Option<Duration>,
}

/// `russet tasks cancel`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "all"]).required(true))]
pub struct Cancel {
    /// The tasks.
    pub ids: Vec<TaskId>,
    /// All tasks that have not ended.
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this queue.
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub queue: Option<String>,
    /// With --all: only those in this state; otherwise ended tasks are looked at, too.
    #[arg(long, requires = "all", conflicts_with = "ids", value_enum)]
    pub status: Option<bulk::Live>,
    /// Why, for people to read.
    #[arg(long)]
    pub reason: Option<String>,
}

/// `russet tasks redrive`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "all"]).required(true))]
pub struct Redrive {
    /// The tasks.
    pub ids: Vec<TaskId>,
    /// All dead tasks.
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this queue.
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub queue: Option<String>,
    /// The named tasks are meant also when somebody cancelled them.
    #[arg(long, conflicts_with = "all")]
    pub cancelled: bool,
}

/// `russet tasks purge`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "all"]).required(true))]
pub struct Purge {
    /// The tasks.
    pub ids: Vec<TaskId>,
    /// All ended tasks.
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this queue.
    #[arg(long, requires = "all", conflicts_with = "ids")]
    pub queue: Option<String>,
    /// With --all: only those that ended so; otherwise live tasks are looked at, too.
    #[arg(long, requires = "all", conflicts_with = "ids", value_enum)]
    pub status: Option<bulk::Ended>,
}

/// `russet tasks explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// The task.
    pub id: TaskId,
}

impl Tasks {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let client = global.client()?;
        match self {
            Self::List(list) => list.run(&client, global).await,
            Self::Get(get) => get.run(&client, global).await,
            Self::Wait(wait) => wait.run(&client, global).await,
            Self::Cancel(cancel) if cancel.all => cancel.all(&client, global).await,
            Self::Cancel(cancel) => {
                let reason = cancel.reason.as_deref();
                let cancel_one = async |id| client.cancel(id, reason).await;
                each(global, &cancel.ids, cancel_one, view::now).await
            }
            Self::Redrive(redrive) if redrive.all => redrive.all(&client, global).await,
            Self::Redrive(redrive) => {
                let redrive_one = async |id| match redrive.cancelled {
                    true => client.redrive_cancelled(id).await,
                    false => client.redrive(id).await,
                };
                each(global, &redrive.ids, redrive_one, view::now).await
            }
            Self::Purge(purge) if purge.all => purge.all(&client, global).await,
            Self::Purge(purge) => {
                let purge_one = async |id| client.purge(id).await;
                let purged =
                    |was: &TaskNowView| format!("{} purged, it was {}\n", was.task, was.status);
                each(global, &purge.ids, purge_one, purged).await
            }
            Self::Explain(explain) => explain.run(global).await,
            Self::Lease(lease) => lease.run(&client, global).await,
            Self::Extend(extend) => extend.run(&client, global).await,
            Self::Complete(complete) => complete.run(&client, global).await,
            Self::Fail(fail) => fail.run(&client, global).await,
            Self::Release(release) => release.run(&client, global).await,
        }
    }
}

impl Get {
    async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        for (at, id) in self.ids.iter().enumerate() {
            let task = client.get(*id).await?;
            let task = task.ok_or_else(|| not_found(*id))?;
            if at > 0 && !global.json && !global.quiet {
                report::line("")?;
            }
            report::either(global, &task, |task| view::whole(task, report::now_ms()))?;
            report::while_read()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Wait {
    async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let until = tokio::time::Instant::now() + self.timeout.unwrap_or(FOR_EVER);
        let (mut failed, mut not_kept) = (0, None);
        for id in &self.ids {
            client.get(*id).await?.ok_or_else(|| not_found(*id))?;
        }
        for id in &self.ids {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let task = match patience::ended(client, *id, left, global).await {
                Err(error @ CliError::NotKept { .. }) => {
                    error.report(global);
                    not_kept = Some(error.status());
                    continue;
                }
                ended => ended?,
            };
            report::either(global, &task, view::outcome)?;
            failed += usize::from(task.status != Status::Succeeded);
        }
        match failed {
            0 => Ok(not_kept.map_or(ExitCode::SUCCESS, ExitCode::from)),
            _ if self.ids.len() == 1 || global.quiet || global.json => Ok(ExitCode::FAILURE),
            _ => Err(CliError::Unsuccessful(format!(
                "{failed} of {} tasks did not succeed",
                self.ids.len()
            ))),
        }
    }
}

/// Why a task is where it is.
pub(super) async fn explained(id: TaskId, global: &Global) -> Result<Explanation, CliError> {
    global.fetch(&format!("/v1/tasks/{id}/explain")).await
}

impl Explain {
    async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let explained = explained(self.id, global).await?;
        report::either(global, &explained, |explained| {
            let mut text = format!("{} is {}\n", explained.task, explained.status);
            for reason in &explained.reasons {
                text.push_str(&indented(&reason.detail, 2));
            }
            text
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Does the same to each task, and goes on when one is refused.
async fn each(
    global: &Global,
    ids: &[TaskId],
    command: impl AsyncFn(TaskId) -> Result<TaskNowView, russet::Error>,
    said: impl Fn(&TaskNowView) -> String,
) -> Result<ExitCode, CliError> {
    let mut last = None;
    for id in ids {
        match command(*id).await {
            Ok(now) => report::either(global, &now, &said)?,
            Err(error) => {
                if let Some(error) = last.replace(CliError::from(error)) {
                    error.report(global);
                }
            }
        }
    }
    last.map_or(Ok(ExitCode::SUCCESS), Err)
}

pub(super) fn not_found(id: TaskId) -> CliError {
    let problem: russet::wire::Problem = Rejection::NotFound { task: id }.into();
    problem.into()
}

/// How a task ended, and what came of it.
pub(super) fn outcome(task: &TaskView) -> String {
    view::outcome(task)
}
