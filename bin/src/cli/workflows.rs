//! `russet workflows …`

mod cancel;
mod file;
mod redrive;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use russet::Client;
use russet::limits::PAGE_TASKS_MAX;
use russet::wire::{ListTasks, Problem, TaskView, WorkflowStatus, WorkflowView};
use russet_core::{Rejection, Status, WorkflowId};
use serde_json::json;

use super::patience::Patience;
use super::{CliError, Global, input, report};
use crate::text::{Align, Table, aside, attempt, counted, gist, relative};

/// How often a workflow that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Most failed tasks that are named when a workflow failed.
const FAILED_TASKS: usize = 10;

/// `russet workflows …`
#[derive(Debug, Subcommand)]
pub enum Workflows {
    /// Submit a workflow: JSON or YAML of the shape that `POST /v1/workflows` takes.
    Submit(Submit),
    /// Show a workflow and its tasks.
    Get(Get),
    /// Cancel the tasks of a workflow that have not ended, or ask their workers to stop.
    Cancel(cancel::Cancel),
    /// Let a workflow go on where it failed: what succeeded is kept.
    ///
    /// Its tasks that are dead, or were cancelled because of a dependency, get a new life, parents
    /// before their children. When it is interrupted, the same command again goes on.
    Redrive(redrive::Redrive),
}

/// `russet workflows submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// The file, or - for standard input.
    pub file: String,
    /// Wait until all tasks have ended; fails unless they succeeded. Exit status 3 says that how
    /// they ended is not known any more, since their retention was over.
    #[arg(long)]
    pub wait: bool,
}

/// `russet workflows get`
#[derive(Debug, Args)]
pub struct Get {
    /// The workflow.
    pub id: WorkflowId,
    /// Most tasks to show, 1 to 1,000.
    #[arg(long, default_value_t = 100, allow_negative_numbers = true,
        value_parser = input::whole::<u16>(1..=PAGE_TASKS_MAX as u64))]
    pub limit: u16,
}

impl Workflows {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let client = global.client()?;
        match self {
            Self::Submit(submit) => submit.run(&client, global).await,
            Self::Cancel(cancel) => cancel.run(&client, global).await,
            Self::Redrive(redrive) => redrive.run(&client, global).await,
            Self::Get(get) => {
                let workflow = fetch(&client, get.id, get.limit.into()).await?;
                report::either(global, &workflow, |workflow| {
                    whole(workflow, report::now_ms())
                })?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Submit {
    async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let workflow = file::read(&self.file)?;
        let is_named = workflow.id.is_some() || workflow.idempotency_key.is_some();
        let workflow = client.identified_workflow(workflow).await?;
        let (id, key) = (workflow.id, workflow.idempotency_key.clone());
        let submitted = client.submit_workflow(workflow).await;
        let mut submitted = submitted.inspect_err(|error| tell_of_doubt(error, id, key))?;
        // Unless the file names it, it is named here, and so it is no other's.
        submitted.existing &= is_named;
        let id = submitted.workflow;
        if !global.json || self.wait {
            report::warnings(&submitted.warnings);
        }
        if !self.wait {
            if global.quiet && !global.json {
                report::line(id)?;
            } else {
                let again = report::submitted(submitted.existing);
                let tasks = counted(submitted.tasks.len() as u64, "task");
                let said = |_: &_| format!("{id} {again}, {tasks}\n");
                report::either(global, &submitted, said)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        report::waiting_for(global, id, submitted.existing)?;
        wait(client, id, global).await
    }
}

/// Says how to find out what became of a workflow whose answer was lost.
fn tell_of_doubt(error: &russet::Error, id: Option<WorkflowId>, key: Option<String>) {
    if error.is_unchanged() {
        return;
    }
    match (key, id) {
        (Some(key), _) => aside(format_args!(
            "submit it again with \"idempotency_key\": {} in the file: it is not done twice",
            json!(key)
        )),
        (None, Some(id)) => aside(format_args!(
            "if it was submitted, it is workflow {id}: `russet workflows get {id}` says so; with \"id\": \"{id}\" in the file the same command can be repeated safely"
        )),
        (None, None) => {}
    }
}

async fn wait(client: &Client, id: WorkflowId, global: &Global) -> Result<ExitCode, CliError> {
    let mut patience = Patience::new();
    let workflow = loop {
        match fetch(client, id, 1).await {
            Ok(workflow) if workflow.status != WorkflowStatus::Running => break workflow,
            Ok(_) => {
                patience = Patience::new();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(error) => {
                let error = error.of_known(format_args!("workflow {id}"));
                patience.bear(error).await?;
            }
        }
    };
    let failed = match workflow.counts.dead {
        // The outcome is told also when they cannot be named.
        1.. if !global.json && !global.quiet => dead_tasks(client, id).await.unwrap_or_default(),
        _ => Vec::new(),
    };
    report::either(global, &workflow, |workflow| {
        let mut text = format!("{}\n", summary(workflow));
        for task in &failed {
            text.push_str(&failure(task));
        }
        let more = u64::from(workflow.counts.dead).saturating_sub(failed.len() as u64);
        if more > 0 {
            let list = format!("`russet tasks list --workflow {id} --status dead`");
            text.push_str(&format!("  and {more} more: {list}\n"));
        }
        text
    })?;
    Ok(match workflow.status {
        WorkflowStatus::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The first tasks of a workflow that failed for good.
async fn dead_tasks(client: &Client, id: WorkflowId) -> Result<Vec<TaskView>, CliError> {
    let request = ListTasks {
        workflow_id: Some(id.to_string()),
        status: Some(Status::Dead.as_str().to_owned()),
        limit: Some(FAILED_TASKS),
        ..ListTasks::default()
    };
    Ok(client.list(request).await?.items)
}

/// A failed task in a line: what it is called, and how its last attempt ended.
fn failure(task: &TaskView) -> String {
    let name = task.name().unwrap_or_else(|| task.kind.to_string());
    let error = task.last_error.as_ref();
    let error = error.map_or_else(|| "no reason was given".into(), |e| gist(&e.message));
    format!("  {name} ({}): {error}\n", task.id)
}

async fn fetch(client: &Client, id: WorkflowId, limit: usize) -> Result<WorkflowView, CliError> {
    let page = ListTasks {
        limit: Some(limit),
        ..ListTasks::default()
    };
    let missing = || Problem::from(Rejection::NoWorkflow { id });
    Ok(client.workflow(id, page).await?.ok_or_else(missing)?)
}

fn summary(workflow: &WorkflowView) -> String {
    let status = match workflow.status {
        WorkflowStatus::Running => "is running",
        WorkflowStatus::Succeeded => "succeeded",
        WorkflowStatus::Failed => "failed",
        WorkflowStatus::Cancelled => "was cancelled",
    };
    let name = workflow
        .name
        .as_ref()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let counts = &workflow.counts;
    let not_needed = match counts.not_needed {
        0 => String::new(),
        some => format!(" ({some} not needed)"),
    };
    format!(
        "{}{name} {status}: {}, {} succeeded, {} dead, {} cancelled{not_needed}, {} not ended",
        workflow.id,
        counted(counts.total.into(), "task"),
        counts.succeeded,
        counts.dead,
        counts.cancelled,
        counts.live
    )
}

fn whole(workflow: &WorkflowView, now: u64) -> String {
    let mut table = Table::new([
        ("TASK", Align::Left),
        ("NAME", Align::Left),
        ("STATUS", Align::Left),
        ("ATTEMPT", Align::Right),
        ("CHANGED", Align::Right),
        ("LAST ERROR", Align::Left),
    ]);
    for task in &workflow.tasks.items {
        let changed = task
            .completed_at
            .or(task.started_at)
            .unwrap_or(task.created_at);
        let error = task.cause().map(|error| gist(&error.message));
        table.row([
            task.id.to_string(),
            task.name().unwrap_or_default(),
            task.status.to_string(),
            attempt(task.attempt),
            relative(changed.timestamp().as_millis(), now),
            error.unwrap_or_default(),
        ]);
    }
    let more = match workflow.tasks.next {
        Some(next) => format!(
            "there are more: `russet tasks list --workflow {} --after {next}`\n",
            workflow.id
        ),
        None => String::new(),
    };
    let table = table.fitted();
    format!("{}\n\n{table}{more}", summary(workflow))
}
