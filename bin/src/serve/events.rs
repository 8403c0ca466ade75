//! What happens, as it happens: `GET /v1/events`.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event as Message, KeepAlive};
use futures::Stream;
use futures::stream;
use russet::wire::{EventView, Problem, id, queue_name};
use russet_core::{Event, QueueName, Rejection, TaskId, WorkflowId};
use russet_engine::EventStream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::input::Filter;
use super::refusal::Refusal;
use super::{App, Stopping, limits};

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

/// What this node decides, from now on.
///
/// Server-sent events: each `task` event carries an `EventView`; a `missed` event says how many
/// commits a reader was too slow for. What other nodes of the same store decide is not among
/// them: to see everything, read the events of each node. The header `russet-node` names the
/// node that answered.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(Watch), responses(
    (status = 200, description = "Events of this node alone, without an end", body = EventView,
        content_type = "text/event-stream",
        headers(("russet-node" = String, description = "The node whose events these are"))),
    Refusal))]
pub(super) async fn stream(
    State(app): State<App>,
    Filter(watch): Filter<Watch>,
) -> Result<(Node, Sse<impl Stream<Item = Result<Message, Infallible>>>), Refusal> {
    let wanted = Wanted::new(watch)?;
    let place = app.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        let most = limits::EVENT_STREAMS;
        let detail = format!("{most} event streams are open, which is the limit: close one");
        Problem::new("overloaded", 503, detail).retry_after(limits::RETRY_AFTER_MS)
    })?;
    let reader = Reader {
        events: app.scheduler().events(),
        ready: Vec::new(),
        wanted,
        stopping: app.stopping.clone(),
        _place: place,
    };
    let messages = stream::unfold(reader, |mut reader| async {
        let message = reader.next().await?;
        Some((Ok(message), reader))
    });
    let alive = KeepAlive::new().interval(limits::EVENT_KEEP_ALIVE);
    let node = [("russet-node", app.scheduler().node_id().to_string())];
    Ok((node, Sse::new(messages).keep_alive(alive)))
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
    /// Messages of one commit, the next one last.
    ready: Vec<Message>,
    wanted: Wanted,
    stopping: Stopping,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    async fn next(&mut self) -> Option<Message> {
        while self.ready.is_empty() {
            let events = tokio::select! {
                biased;
                () = self.stopping.wait() => return None,
                events = self.events.next() => events?,
            };
            match events {
                Ok(events) => {
                    let wanted = events.iter().filter(|event| self.wanted.is(event));
                    self.ready = wanted.rev().map(message).collect();
                }
                Err(commits) => return Some(missed(commits)),
            }
        }
        self.ready.pop()
    }
}

fn message(event: &Event) -> Message {
    // A view is texts and numbers: it always serialises.
    let data = serde_json::to_string(&EventView::from(event)).unwrap_or_default();
    Message::default().event("task").data(data)
}

fn missed(commits: u64) -> Message {
    let data = format!("{{\"commits\":{commits}}}");
    Message::default().event("missed").data(data)
}
