//! `russet events`

use std::process::ExitCode;
use std::time::Duration;

use bytes::BytesMut;
use clap::Args;
use futures::future::{join_all, try_join_all};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use russet::wire::{EventView, MissedReason, MissedView};
use russet_core::{TaskId, WorkflowId};
use tokio::time::timeout;

use super::session::unreachable;
use super::{CliError, Global, report};
use crate::serve::limits::EVENT_KEEP_ALIVE;
use crate::text::{aside, attempt, counted};

/// Longest event that is read, in bytes.
const EVENT_BYTES: usize = 64 * 1024;
/// How long the first wait for a server that has gone is; each later one is twice as long.
const RECONNECT: Duration = Duration::from_millis(250);
/// The longest wait between two tries to reach it. There is no last try: whoever follows events
/// ends that.
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a stream may be silent: two of what keeps it alive may be missing.
const SILENCE: Duration = EVENT_KEEP_ALIVE.saturating_mul(3);

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
    /// Prints what happens, on every server that is named, until nobody reads any more. A server
    /// that has gone is waited for; when none is there at the start that is an error.
    pub(super) async fn run(&self, global: &Global) -> Result<ExitCode, CliError> {
        let path = self.path();
        let client = global.client()?;
        let servers = client.servers();
        let streams = servers.iter().map(|server| global.get(server, &path, None));
        let streams = join_all(streams).await;
        let (mut followed, mut missing) = (Vec::new(), None);
        for (server, stream) in servers.iter().zip(streams) {
            match stream {
                Ok(body) => followed.push((server, Some(body))),
                Err(error) if may_come_back(&error) => {
                    followed.push((server, None));
                    missing = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if followed.iter().all(|(_, body)| body.is_none())
            && let Some(error) = missing
        {
            return Err(match error {
                CliError::Unreachable { why, .. } => unreachable(&client, why),
                error => error,
            });
        }
        let all = followed.into_iter();
        try_join_all(all.map(|(server, body)| self.stay(server, body, global))).await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Follows one server, and waits for it whenever it is not there.
    async fn stay(
        &self,
        server: &str,
        mut body: Option<Incoming>,
        global: &Global,
    ) -> Result<(), CliError> {
        let mut account = Account::new(server, global);
        loop {
            let why = match body {
                Some(body) => account.follow(body).await?.told(),
                None => "is not there",
            };
            aside(format_args!(
                "warning: {server} {why}: it is followed again when it is back"
            ));
            body = Some(self.again(server, account.last.as_deref(), global).await?);
            let since = match &account.last {
                Some(_) => "",
                None => "; what happened there before is missing",
            };
            aside(format_args!("warning: following {server} now{since}"));
        }
    }

    /// The stream of a server that comes back, from behind the `last` event that it sent.
    async fn again(
        &self,
        server: &str,
        last: Option<&str>,
        global: &Global,
    ) -> Result<Incoming, CliError> {
        let mut pause = RECONNECT;
        loop {
            tokio::time::sleep(pause).await;
            match global.get(server, &self.path(), last).await {
                Err(error) if may_come_back(&error) => {}
                answer => return answer,
            }
            pause = (pause * 2).min(RECONNECT_MAX);
        }
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

/// How a stream of events came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The server stops, or is lost.
    Closed,
    /// Not even what keeps the stream alive comes any more.
    Silent,
}

impl End {
    const fn told(&self) -> &'static str {
        match self {
            Self::Closed => "has ended the stream of events",
            Self::Silent => "does not send anything any more",
        }
    }
}

/// The next bytes of a stream, or how it ended.
async fn piece<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Result<Bytes, End> {
    match timeout(SILENCE, body.frame()).await {
        Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
        Ok(_) => Err(End::Closed),
        Err(_) => Err(End::Silent),
    }
}

/// Whether a server that answers so, or not at all, is on its way down or up.
fn may_come_back(error: &CliError) -> bool {
    match error {
        CliError::Unreachable { .. } => true,
        CliError::Refused(problem) => problem.is_temporary(),
        CliError::Client(error) => {
            matches!(
                error,
                russet::Error::Lost { .. } | russet::Error::Unreadable { .. }
            )
        }
        _ => false,
    }
}

/// The server-sent events of one server, line by line.
struct Account<'a> {
    server: &'a str,
    global: &'a Global,
    /// What the event under way is called.
    name: String,
    /// How far it says that the reader has come then.
    id: Option<String>,
    /// How far the reader has come.
    last: Option<String>,
}

impl<'a> Account<'a> {
    const fn new(server: &'a str, global: &'a Global) -> Self {
        Self {
            server,
            global,
            name: String::new(),
            id: None,
            last: None,
        }
    }

    /// Prints what happens until the stream ends.
    async fn follow(&mut self, mut body: Incoming) -> Result<End, CliError> {
        let mut kept = BytesMut::new();
        // What the stream before did not end.
        self.id = None;
        loop {
            match piece(&mut body).await {
                Ok(piece) => kept.extend_from_slice(&piece),
                Err(end) => return Ok(end),
            }
            while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                let line = kept.split_to(end + 1);
                self.take(String::from_utf8_lossy(&line).trim_end())?;
            }
            if kept.len() > EVENT_BYTES {
                kept.clear();
            }
        }
    }

    fn take(&mut self, line: &str) -> Result<(), CliError> {
        match line.split_once(':') {
            Some(("event", name)) => name.trim().clone_into(&mut self.name),
            Some(("id", id)) => self.id = Some(id.trim().to_owned()),
            Some(("data", data)) => {
                self.print(data.trim())?;
                report::while_read()?;
            }
            None if line.is_empty() => self.last = self.id.take().or(self.last.take()),
            _ => {}
        }
        Ok(())
    }

    fn print(&self, data: &str) -> Result<(), CliError> {
        if self.name != "task" {
            let missed = serde_json::from_str(data);
            let missed = missed.map_or_else(|_| data.to_owned(), missing);
            aside(format_args!(
                "warning: {}: some events are missing: {missed}",
                self.server
            ));
            return Ok(());
        }
        if self.global.json {
            return report::line(data);
        }
        match serde_json::from_str::<EventView>(data) {
            Ok(event) if self.global.quiet => report::line(event.task),
            Ok(event) => report::line(told(&event)),
            Err(_) => report::line(data),
        }
    }
}

/// Which events are missing, and why.
fn missing(missed: MissedView) -> String {
    let of = match missed.commits {
        Some(commits) => format!("those of {}, ", counted(commits, "commit")),
        None => String::new(),
    };
    let why = match missed.reason {
        MissedReason::Slow => "they came faster than they were read",
        MissedReason::Forgotten => "the server does not keep them any more",
        MissedReason::Unknown => "the server has been started anew, or is another one",
    };
    format!("{of}{why}")
}

fn told(event: &EventView) -> String {
    let reason = event.reason.map(|reason| format!(": {}", reason.as_str()));
    format!(
        "{} {} {} queue {} attempt {}{}",
        event.at,
        event.task,
        event.event.as_str(),
        event.queue,
        attempt(event.attempt),
        reason.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::{Empty, Full};
    use hyper::body::Frame;

    use super::*;

    /// What a server sends that is frozen.
    struct Nothing;

    impl Body for Nothing {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_silent_for_long_has_ended() {
        assert_eq!(piece(&mut Nothing).await, Err(End::Silent));
        assert_eq!(piece(&mut Empty::new()).await, Err(End::Closed));
        let said = Bytes::from_static(b"event: task\n");
        assert_eq!(piece(&mut Full::new(said.clone())).await, Ok(said));
    }
}
