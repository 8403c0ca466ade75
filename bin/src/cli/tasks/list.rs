use std::process::ExitCode;

use clap::{Args, ValueEnum};
use russet::Client;
use russet::wire::{ListTasks, TaskView};
use russet_core::{Status, TaskId, WorkflowId};

use crate::cli::{CliError, Global, report};
use crate::text::{Align, Table, aside, attempt, counted, gist, relative};

/// Most tasks asked for at once.
const PAGE: usize = russet::limits::PAGE_TASKS_MAX;

/// `russet tasks list`
#[derive(Debug, Args)]
pub struct List {
    /// Tasks of this queue.
    #[arg(long)]
    pub queue: Option<String>,
    /// Tasks in this state.
    #[arg(long)]
    pub status: Option<StatusName>,
    /// Tasks of this workflow.
    #[arg(long, value_name = "ID")]
    pub workflow: Option<WorkflowId>,
    /// Most tasks to list.
    #[arg(long, default_value_t = 50, conflicts_with = "all", value_parser = limit,
        allow_negative_numbers = true)]
    pub limit: usize,
    /// List all tasks, however many there are.
    #[arg(long)]
    pub all: bool,
    /// Go on behind this task.
    #[arg(long, value_name = "ID")]
    pub after: Option<TaskId>,
    /// Newest first; oldest first when absent.
    #[arg(long)]
    pub newest: bool,
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| "write a number of tasks from 1 on, or --all in its place".to_owned())
}

/// A state on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusName {
    Blocked,
    Scheduled,
    Queued,
    Running,
    Succeeded,
    Dead,
    Cancelled,
}

impl StatusName {
    const fn status(self) -> Status {
        match self {
            Self::Blocked => Status::Blocked,
            Self::Scheduled => Status::Scheduled,
            Self::Queued => Status::Queued,
            Self::Running => Status::Running,
            Self::Succeeded => Status::Succeeded,
            Self::Dead => Status::Dead,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

impl List {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<ExitCode, CliError> {
        let (mut after, mut left) = (self.after, if self.all { usize::MAX } else { self.limit });
        let mut listed = 0_usize;
        while left > 0 {
            let page = client.list(self.page(after, left.min(PAGE))).await?;
            if listed == 0 && page.items.is_empty() && !global.json && !global.quiet {
                report::line("no tasks")?;
            }
            listed += page.items.len();
            left -= page.items.len().min(left);
            print(&page.items, global)?;
            report::while_read()?;
            after = page.next;
            if after.is_none() {
                return Ok(ExitCode::SUCCESS);
            }
        }
        if let Some(after) = after.filter(|_| !global.json && !global.quiet) {
            aside(format_args!(
                "there are more: go on with --after {after}, or list them --all"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn page(&self, after: Option<TaskId>, limit: usize) -> ListTasks {
        ListTasks {
            queue: self.queue.clone(),
            status: self.status.map(|name| name.status().as_str().to_owned()),
            workflow_id: self.workflow.map(|id| id.to_string()),
            after: after.map(|id| id.to_string()),
            limit: Some(limit),
            order: self.newest.then(|| "newest".to_owned()),
        }
    }
}

fn print(tasks: &[TaskView], global: &Global) -> Result<(), CliError> {
    if global.json {
        return tasks.iter().try_for_each(report::json);
    }
    if global.quiet {
        return tasks.iter().try_for_each(|task| report::line(task.id));
    }
    if tasks.is_empty() {
        return Ok(());
    }
    let now = report::now_ms();
    let mut table = Table::new([
        ("TASK", Align::Left),
        ("TYPE", Align::Left),
        ("QUEUE", Align::Left),
        ("STATUS", Align::Left),
        ("PRIORITY", Align::Right),
        ("ATTEMPT", Align::Right),
        ("CREATED", Align::Right),
        ("NOTE", Align::Left),
    ]);
    for task in tasks {
        table.row([
            task.id.to_string(),
            task.kind.to_string(),
            task.queue.to_string(),
            task.status.to_string(),
            task.priority.to_string(),
            attempt(task.attempt),
            relative(task.created_at.timestamp().as_millis(), now),
            note(task, now),
        ]);
    }
    report::text(table.fitted())
}

/// What is worth knowing about a task in its state.
fn note(task: &TaskView, now: u64) -> String {
    let due = task
        .scheduled_at
        .map(|at| relative(at.timestamp().as_millis(), now));
    let error = task.cause().map(|error| gist(&error.message));
    match task.status {
        Status::Scheduled if task.retry_count > 0 => {
            let error = error.map(|error| format!(": {error}")).unwrap_or_default();
            format!(
                "retry {} {}{error}",
                task.retry_count,
                due.unwrap_or_default()
            )
        }
        Status::Scheduled => format!("starts {}", due.unwrap_or_default()),
        Status::Blocked => format!(
            "depends on {}",
            counted(task.dependencies.len() as u64, "task")
        ),
        Status::Dead | Status::Cancelled => {
            let parts = [task.name(), error].into_iter().flatten();
            parts.collect::<Vec<_>>().join(": ")
        }
        Status::Running if task.cancel_requested => "its worker is asked to stop".to_owned(),
        _ => task.name().unwrap_or_default(),
    }
}
