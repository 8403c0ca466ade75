//! `russet workflows …`

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use russet::Client;
use russet::wire::{ListTasks, Problem, SubmitWorkflow, WorkflowStatus, WorkflowView, from_json};
use russet_core::{Rejection, WorkflowId};

use super::{CliError, Global, input, report};
use crate::text::{Align, Table, counted, relative};

/// How often a workflow that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// `russet workflows …`
#[derive(Debug, Subcommand)]
pub enum Workflows {
    /// Submit a workflow: JSON as `POST /v1/workflows` takes it.
    Submit(Submit),
    /// Show a workflow and its tasks.
    Get(Get),
}

/// `russet workflows submit`
#[derive(Debug, Args)]
pub struct Submit {
    /// The file, or - for standard input.
    pub file: String,
    /// Wait until all tasks have ended; fails unless they succeeded.
    #[arg(long)]
    pub wait: bool,
}

/// `russet workflows get`
#[derive(Debug, Args)]
pub struct Get {
    /// The workflow.
    pub id: WorkflowId,
    /// Most tasks to show.
    #[arg(long, default_value_t = 100, value_parser = input::count, allow_negative_numbers = true)]
    pub limit: usize,
}

impl Workflows {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let client = global.client()?;
        match self {
            Self::Submit(submit) => submit.run(&client, global).await,
            Self::Get(get) => {
                let workflow = fetch(&client, get.id, get.limit).await?;
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
        let bytes = input::bytes(&self.file)?;
        let workflow: SubmitWorkflow = from_json(&bytes).map_err(|problem| {
            CliError::input(&self.file, problem.detail.replacen("the body", "it", 1))
        })?;
        let submitted = client.submit_workflow(workflow).await?;
        let id = submitted.workflow;
        if !global.json || self.wait {
            report::warnings(&submitted.warnings);
        }
        if !self.wait {
            if global.quiet && !global.json {
                report::line(id)?;
            } else {
                let again = if submitted.existing {
                    "had been submitted before"
                } else {
                    "submitted"
                };
                let said = |_: &_| {
                    let tasks = counted(submitted.tasks.len() as u64, "task");
                    format!("{id} {again}, {tasks}\n")
                };
                report::either(global, &submitted, said)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            let workflow = fetch(client, id, 1).await?;
            if workflow.status != WorkflowStatus::Running {
                report::either(global, &workflow, |workflow| {
                    format!("{}\n", summary(workflow))
                })?;
                return Ok(match workflow.status {
                    WorkflowStatus::Succeeded => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
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
    format!(
        "{}{name} {status}: {} tasks, {} succeeded, {} dead, {} cancelled, {} not ended",
        workflow.id, counts.total, counts.succeeded, counts.dead, counts.cancelled, counts.live
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
        let error = task.last_error.as_ref().map(|error| error.message.clone());
        table.row([
            task.id.to_string(),
            task.name().unwrap_or_default(),
            task.status.to_string(),
            task.attempt.to_string(),
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
    format!("{}\n\n{table}{more}", summary(workflow))
}
