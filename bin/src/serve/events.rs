//! What happens, as it happens: `GET /v1/events`.

mod position;

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::Event as Message;
use futures::Stream;
use futures::stream;
use russet::wire::{EventView, MissedReason, MissedView, Problem, id, queue_name};
use russet_core::{Event, QueueName, Rejection, TaskId, WorkflowId};
use russet_engine::{EventStream, Happened};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::input::Filter;
use super::refusal::Refusal;
use super::{App, Stopping, limits};
use position::Position;

/// The header by which a reader says how far it has come.
const LAST_EVENT_ID: &str = "last-event-id";

/// Which events to send. Filters that are absent let every event pass.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Watch {
    /// Events of this queue.
    queue: Option<String>,
    /// Events of this task.
    task: Option<String>,
    /// Events of this workflow.
    workflow_id: Option<String>,
}

/// What this node decides, from now on, or from where a reader was before.
///
/// Server-sent events: each `task` event carries an `EventView`; a `missed` event carries a
/// `MissedView` where some are missing, and the stream goes on behind it. Each has an `id`; whoever
/// sends the newest one as `Last-Event-ID` gets what followed it, as far as this node still keeps
/// that. An `id` by itself, at the beginning and from time to time, says that there was nothing.
/// What other nodes of the same store decide is not among the events: to see everything, read
/// those of each node. The header `russet-node` names the node that answered.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(Watch, ("Last-Event-ID" = Option<String>, Header,
        description = "The newest `id` that the reader had from this node: the stream begins behind it")),
    responses(
    (status = 200, description = "Events of this node alone, without an end", body = EventView,
        content_type = "text/event-stream",
        headers(("russet-node" = String, description = "The node whose events these are"))),
    Refusal))]
pub(super) async fn stream(
    State(app): State<App>,
    Filter(watch): Filter<Watch>,
    headers: HeaderMap,
) -> Result<(Node, Sse<impl Stream<Item = Result<Message, Infallible>>>), Refusal> {
    let wanted = Wanted::new(watch)?;
    let place = app.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        let most = limits::EVENT_STREAMS;
        let detail = format!("{most} event streams are open, which is the limit: close one");
        Problem::new("overloaded", 503, detail).retry_after(limits::RETRY_AFTER_MS)
    })?;
    let last = headers.get(LAST_EVENT_ID).map(|last| last.as_bytes());
    let reader = Reader::new(&app, last, wanted, place);
    let messages = stream::unfold(reader, |mut reader| async {
        let message = reader.next().await?;
        Some((Ok(message), reader))
    });
    let node = [("russet-node", app.scheduler().node_id().to_string())];
    Ok((node, Sse::new(messages)))
}

/// Which node answers, as a header.
type Node = [(&'static str, String); 1];

struct Wanted {
    queue: Option<QueueName>,
    task: Option<TaskId>,
    workflow: Option<WorkflowId>,
}

impl Wanted {
    fn new(watch: Watch) -> Result<Self, Rejection> {
        let (task, workflow) = (watch.task.as_deref(), watch.workflow_id.as_deref());
        Ok(Self {
            queue: watch.queue.as_deref().map(queue_name).transpose()?,
            task: task.map(|text| id("task", text)).transpose()?,
            workflow: workflow.map(|text| id("workflow_id", text)).transpose()?,
        })
    }

    fn is(&self, event: &Event) -> bool {
        let queue = self
            .queue
            .as_ref()
            .is_none_or(|queue| *queue == event.queue);
        let task = self.task.is_none_or(|task| task == event.task);
        let workflow = self.workflow.is_none_or(|id| Some(id) == event.workflow);
        queue && task && workflow
    }
}

struct Reader {
    events: EventStream,
    start: u64,
    /// Of the commit that comes next, how many events the reader has had.
    had: usize,
    /// What a gap means that is found next.
    gap: MissedReason,
    /// Messages that are ready, the next one last.
    ready: Vec<Message>,
    wanted: Wanted,
    /// When to say that the stream is alive, and how far it has come.
    alive: Interval,
    stopping: Stopping,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn new(app: &App, last: Option<&[u8]>, wanted: Wanted, place: OwnedSemaphorePermit) -> Self {
        let known = last.map(|last| resumed(app, last));
        let is_unknown = matches!(known, Some(None));
        let (events, had) = match known.flatten() {
            Some((events, had)) => (events, had),
            None => (app.scheduler().events(), 0),
        };
        let mut alive = interval(limits::EVENT_KEEP_ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = Self {
            events,
            start: app.start,
            had,
            gap: MissedReason::Forgotten,
            ready: Vec::new(),
            wanted,
            alive,
            stopping: app.stopping.clone(),
            _place: place,
        };
        if is_unknown {
            reader
                .ready
                .push(reader.missed(MissedReason::Unknown, None));
        }
        reader
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop() {
                return Some(message);
            }
            let found = tokio::select! {
                biased;
                () = self.stopping.wait() => return None,
                _ = self.alive.tick() => return Some(self.mark()),
                found = self.events.next() => found?,
            };
            let gap = std::mem::replace(&mut self.gap, MissedReason::Slow);
            let had = std::mem::take(&mut self.had);
            match found {
                Ok(happened) => self.ready = self.messages(&happened, had),
                Err(commits) => return Some(self.missed(gap, Some(commits))),
            }
        }
    }

    /// Those of a commit's events that are wanted, without the first ones, the last one first.
    fn messages(&self, happened: &Happened, had: usize) -> Vec<Message> {
        let events = happened.events.iter().enumerate().skip(had);
        let wanted = events.filter(|(_, event)| self.wanted.is(event));
        let id = |at: usize| match at + 1 == happened.events.len() {
            true => Position::before(self.start, happened.commit + 1),
            false => Position {
                start: self.start,
                commit: happened.commit,
                events: at + 1,
            },
        };
        let messages = wanted.map(|(at, event)| message("task", id(at), &EventView::from(event)));
        let mut messages: Vec<_> = messages.collect();
        messages.reverse();
        messages
    }

    fn missed(&self, reason: MissedReason, commits: Option<u64>) -> Message {
        message("missed", self.position(), &MissedView { reason, commits })
    }

    /// How far the reader has come, without an event.
    fn mark(&self) -> Message {
        Message::default().id(self.position().to_string())
    }

    fn position(&self) -> Position {
        Position {
            events: self.had,
            ..Position::before(self.start, self.events.position())
        }
    }
}

/// What follows the position that a reader names, and how many events of the first commit it has
/// had; `None` when it is none of this start of this node.
fn resumed(app: &App, last: &[u8]) -> Option<(EventStream, usize)> {
    let last: Position = std::str::from_utf8(last).ok()?.parse().ok()?;
    if last.start != app.start {
        return None;
    }
    let events = app.scheduler().events_from(last.commit)?;
    Some((events, last.events))
}

fn message(event: &str, id: Position, data: &impl Serialize) -> Message {
    // A view is texts and numbers: it always serialises.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.to_string();
    Message::default().event(event).id(id).data(data)
}
