//! `russet queues …`

mod empty;

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use russet::Client;
use russet::wire::{ConfigureQueue, QueueConfigView, QueueView};
use russet_core::limits::CONCURRENCY_MAX;

use self::empty::Empty;
use super::{CliError, Global, input, report};
use crate::text::{Align, Table, lasting};

/// `russet queues …`
#[derive(Debug, Subcommand)]
pub enum Queues {
    /// List all queues that have tasks or settings.
    List,
    /// Show one queue.
    Inspect(OneQueue),
    /// Start none of the queues' tasks until they are resumed.
    Pause(SomeQueues),
    /// Start the queues' tasks again.
    Resume(SomeQueues),
    /// Change how a queue treats its tasks; what is not named stays.
    Configure(Configure),
}

/// The queue to show.
#[derive(Debug, Args)]
pub struct OneQueue {
    /// The queue.
    pub queue: String,
}

/// The queues to pause or resume.
#[derive(Debug, Args)]
pub struct SomeQueues {
    /// The queues.
    #[arg(required = true)]
    pub queues: Vec<String>,
}

/// `russet queues configure`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub struct Configure {
    /// The queue.
    pub queue: String,
    /// Most tasks that run at once, in each partition; `none` lifts the limit. Tasks that are
    /// already running when a limit is set, where there was none, are not counted.
    #[arg(
        long,
        group = "change",
        value_parser = limit,
        value_name = "N|none",
        allow_negative_numbers = true
    )]
    pub concurrency: Option<Limit>,
    /// How long a task waits to catch up with one that is one priority more urgent.
    #[arg(long, group = "change", value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub aging: Option<Duration>,
    /// How long succeeded tasks are kept, and those that somebody cancelled.
    #[arg(long, group = "change", value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub keep_finished: Option<Duration>,
    /// How long dead tasks are kept, and those that a dependency ended.
    #[arg(long, group = "change", value_parser = input::duration, value_name = "DURATION",
        allow_hyphen_values = true)]
    pub keep_dead: Option<Duration>,
}

/// A concurrency limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        number => match input::whole(1..=u64::from(CONCURRENCY_MAX))(number) {
            Ok(limit) => Ok(Limit(Some(limit))),
            Err(why) => Err(format!("{why}, or none")),
        },
    }
}

impl Queues {
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let client = global.client()?;
        match self {
            Self::List => list(&client.queues().await?, global)?,
            Self::Inspect(one) => {
                let queue = client.queue(&one.queue).await?;
                let empty = Empty::of(&client, &queue, global).await;
                let is_unknown = empty.as_ref().is_some_and(|empty| empty.is_unknown);
                report::either(global, &queue, |queue| inspect(queue, is_unknown))?;
                empty.iter().for_each(Empty::tell);
            }
            Self::Pause(some) => pause(&client, &some.queues, global).await?,
            Self::Resume(some) => resume(&client, &some.queues, global).await?,
            Self::Configure(change) => {
                let config = client.configure(&change.queue, change.into()).await?;
                report::either(global, &config, configuration)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl From<&Configure> for ConfigureQueue {
    fn from(change: &Configure) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            paused: None,
            concurrency: change.concurrency.map(|Limit(limit)| limit),
            aging_ms: change.aging.map(ms),
            keep_finished_ms: change.keep_finished.map(ms),
            keep_dead_ms: change.keep_dead.map(ms),
        }
    }
}

async fn pause(client: &Client, queues: &[String], global: &Global) -> Result<(), CliError> {
    for queue in queues {
        let empty = Empty::find(client, queue, global).await;
        let config = client.pause(queue).await?;
        let said = |_: &_| match &empty {
            Some(_) => format!("{queue} is paused: no task of it starts\n"),
            None => format!("{queue} is paused: its running tasks go on, no other starts\n"),
        };
        report::either(global, &config, said)?;
        empty.iter().for_each(Empty::tell_of_pause);
    }
    Ok(())
}

async fn resume(client: &Client, queues: &[String], global: &Global) -> Result<(), CliError> {
    for queue in queues {
        let empty = Empty::find(client, queue, global).await;
        let config = client.resume(queue).await?;
        let said = |_: &_| match &empty {
            Some(empty) if empty.is_unknown => format!("{queue} is not paused\n"),
            _ => format!("{queue} starts tasks again\n"),
        };
        report::either(global, &config, said)?;
        empty.iter().for_each(Empty::tell);
    }
    Ok(())
}

fn list(queues: &[QueueView], global: &Global) -> Result<(), CliError> {
    if global.json {
        return queues.iter().try_for_each(report::json);
    }
    if global.quiet {
        return queues
            .iter()
            .try_for_each(|queue| report::line(&queue.name));
    }
    if queues.is_empty() {
        return report::line("no queues: they come with their first task or setting");
    }
    let right = Align::Right;
    let mut table = Table::new([
        ("QUEUE", Align::Left),
        ("QUEUED", right),
        ("RUNNING", right),
        ("SCHEDULED", right),
        ("BLOCKED", right),
        ("SUCCEEDED", right),
        ("DEAD", right),
        ("CANCELLED", right),
        ("WAITING", right),
        ("STATE", Align::Left),
    ]);
    for queue in queues {
        let counts = &queue.counts;
        table.row([
            queue.name.to_string(),
            counts.queued.to_string(),
            counts.running.to_string(),
            counts.scheduled.to_string(),
            counts.blocked.to_string(),
            counts.succeeded.to_string(),
            counts.dead.to_string(),
            counts.cancelled.to_string(),
            queue.oldest_ready_age_ms.map_or_else(|| "-".into(), ms),
            state(queue),
        ]);
    }
    report::text(table)
}

fn ms(ms: u64) -> String {
    lasting(Duration::from_millis(ms))
}

fn state(queue: &QueueView) -> String {
    if queue.unreadable.is_some() {
        return "damaged".into();
    }
    let config = &queue.config;
    let limit = config
        .concurrency
        .map(|limit| format!("at most {limit} at once in each partition"));
    match (config.paused, limit) {
        (true, _) => "paused".into(),
        (false, Some(limit)) => limit,
        (false, None) => "open".into(),
    }
}

fn inspect(queue: &QueueView, is_unknown: bool) -> String {
    let (counts, mut out) = (&queue.counts, String::new());
    let mut put = |name: &str, value: String| {
        // Writing into a String does not fail.
        let _ = writeln!(out, "{name:<14}{value}");
    };
    let not_yet = match is_unknown {
        true => " (not there yet: no task, no setting)",
        false => "",
    };
    put("queue", format!("{}{not_yet}", queue.name));
    put("queued", counts.queued.to_string());
    put("running", counts.running.to_string());
    put("scheduled", counts.scheduled.to_string());
    put("blocked", counts.blocked.to_string());
    put("succeeded", counts.succeeded.to_string());
    put("dead", counts.dead.to_string());
    put("cancelled", counts.cancelled.to_string());
    if let Some(age) = queue.oldest_ready_age_ms {
        put(
            "waiting",
            format!("{} for the task that is ready longest", ms(age)),
        );
    }
    if let Some(workers) = queue.desired_workers {
        put("workers", format!("{workers} wanted"));
    }
    for lane in &queue.lanes {
        let needs = lane.resource_requirements.iter();
        let needs: Vec<_> = needs.map(|(name, n)| format!("{name}={n}")).collect();
        if !needs.is_empty() {
            put("lane", needs.join(", "));
        }
    }
    if queue.more_lanes > 0 {
        put("lanes", format!("and {} more", queue.more_lanes));
    }
    match &queue.unreadable {
        Some(why) => {
            put("damaged", why.clone());
            out
        }
        None => out + &configuration(&queue.config),
    }
}

fn configuration(config: &QueueConfigView) -> String {
    let limit = config.concurrency.map_or_else(
        || "none".into(),
        |limit| format!("{limit} in each partition"),
    );
    format!(
        "{:<14}{}\n{:<14}{limit}\n{:<14}{}\n{:<14}{}\n{:<14}{}\n",
        "paused",
        if config.paused { "yes" } else { "no" },
        "concurrency",
        "aging",
        ms(config.aging_ms),
        "keep finished",
        ms(config.keep_finished_ms),
        "keep dead",
        ms(config.keep_dead_ms),
    )
}
