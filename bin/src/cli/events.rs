//! `russet events`

use std::process::ExitCode;

use bytes::BytesMut;
use clap::Args;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use russet::wire::EventView;
use russet_core::{TaskId, WorkflowId};

use super::{CliError, Global, report};

/// Longest event that is read, in bytes.
const EVENT_BYTES: usize = 64 * 1024;

/// `russet events`
#[derive(Debug, Args)]
pub struct Events {
    /// Events of this queue.
    #[arg(long)]
    pub queue: Option<String>,
    /// Events of this task.
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskId>,
    /// Events of this workflow.
    #[arg(long, value_name = "ID")]
    pub workflow: Option<WorkflowId>,
}

impl Events {
    /// Prints what happens until the server stops or nobody reads any more.
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let mut body = global.get(&self.path()).await?;
        let (mut kept, mut event) = (BytesMut::new(), Event::default());
        while let Some(piece) = next(&mut body, &global.url).await? {
            kept.extend_from_slice(&piece);
            while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line = kept.split_to(end + 1);
                event.take(String::from_utf8_lossy(&line).trim_end(), global)?;
            }
            if kept.len() > EVENT_BYTES {
                kept.clear();
            }
        }
        Err(CliError::Unsuccessful(
            "the server has ended the stream of events: follow it again".to_owned(),
        ))
    }

    fn path(&self) -> String {
        let filters = [
            ("queue", self.queue.clone()),
            ("task", self.task.map(|id| id.to_string())),
            ("workflow_id", self.workflow.map(|id| id.to_string())),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in filters {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        match query.finish() {
            query if query.is_empty() => "/v1/events".to_owned(),
            query => format!("/v1/events?{query}"),
        }
    }
}

async fn next(body: &mut Incoming, server: &str) -> Result<Option<hyper::body::Bytes>, CliError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| russet::Error::Lost {
            server: server.to_owned(),
            why: error.to_string(),
        })?;
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// A server-sent event, line by line.
#[derive(Default)]
struct Event {
    name: String,
}

impl Event {
    fn take(&mut self, line: &str, global: &Global) -> Result<(), CliError> {
        match line.split_once(':') {
            Some(("event", name)) => name.trim().clone_into(&mut self.name),
            Some(("data", data)) => self.print(data.trim(), global)?,
            // The empty line at its end, and the comments that keep the stream alive.
            _ => {}
        }
        Ok(())
    }

    fn print(&self, data: &str, global: &Global) -> Result<(), CliError> {
        if self.name != "task" {
            eprintln!("warning: some events were missed: {data}");
            return Ok(());
        }
        if global.json {
            return report::line(data);
        }
        match serde_json::from_str::<EventView>(data) {
            Ok(event) if global.quiet => report::line(event.task),
            Ok(event) => report::line(told(&event)),
            Err(_) => report::line(data),
        }
    }
}

fn told(event: &EventView) -> String {
    let reason = event.reason.map(|reason| format!(": {}", reason.as_str()));
    format!(
        "{} {} {} queue {} attempt {}{}",
        event.at,
        event.task,
        event.event.as_str(),
        event.queue,
        event.attempt,
        reason.unwrap_or_default()
    )
}
