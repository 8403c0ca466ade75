use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::contract;
use crate::site::{Site, held};

/// A stream of events.
struct Events {
    body: Incoming,
    text: String,
    /// The newest id that came.
    last: String,
}

impl Events {
    async fn open(site: &Site, query: &str) -> Self {
        Self::open_behind(site, query, None).await
    }

    /// A stream of what comes behind an id.
    async fn open_behind(site: &Site, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = site
            .open(request.body(Full::<Bytes>::default()).expect("a request"))
            .await;
        assert_eq!(
            response.headers().get("content-type").expect("a type"),
            "text/event-stream"
        );
        Self {
            body: response.into_body(),
            text: String::new(),
            last: String::new(),
        }
    }

    /// The next part of the stream, up to an empty line; `None` at its end.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some((part, rest)) = self.text.split_once("\n\n") {
                let part = part.to_owned();
                self.text = rest.to_owned();
                let id = part.lines().find_map(|line| line.strip_prefix("id: "));
                id.expect("an id").clone_into(&mut self.last);
                return Some(part);
            }
            let frame = timeout(Duration::from_secs(10), self.body.frame())
                .await
                .expect("in time")?;
            let data = frame.expect("a frame").into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
    }

    /// The next event and its name; `None` at the end of the stream.
    async fn named(&mut self) -> Option<(String, Value)> {
        loop {
            let part = self.part().await?;
            let field = |name: &str| part.lines().find_map(|line| line.strip_prefix(name));
            // An id alone is no event.
            if let Some(data) = field("data: ") {
                let name = field("event: ").expect("a name").to_owned();
                let data = serde_json::from_str(data).expect("JSON");
                contract::check_event(&name, &data);
                return Some((name, data));
            }
        }
    }

    /// The next event of a task; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        let (name, data) = self.named().await?;
        assert_eq!(name, "task", "{data}");
        Some(data)
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        while names.len() < count {
            let event = self.next().await.expect("an event");
            names.push(event["event"].as_str().expect("a name").to_owned());
        }
        names
    }
}

#[tokio::test]
async fn the_life_of_a_task_is_told_as_it_happens() {
    let site = Site::start().await;
    let mut events = Events::open(&site, "").await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let first = events.next().await.expect("an event");
    assert_eq!(
        (&first["event"], &first["task"]),
        (&json!("submitted"), &json!(id))
    );
    assert_eq!(events.names(1).await, ["queued"]);
    let task = site.lease().await;
    site.post("/v1/leases/complete", &format!("{{{}}}", held(&task)))
        .await
        .good();
    assert_eq!(events.names(2).await, ["leased", "succeeded"]);
}

#[tokio::test]
async fn a_reader_gets_only_the_events_that_it_asked_for() {
    let site = Site::start().await;
    let wanted = site.submit(r#"{"type": "a", "queue": "mail"}"#).await;
    let mut by_queue = Events::open(&site, "?queue=mail").await;
    let mut by_task = Events::open(&site, &format!("?task={wanted}")).await;
    site.submit(r#"{"type": "a", "queue": "other"}"#).await;
    site.submit(r#"{"type": "a", "queue": "mail"}"#).await;
    site.post(&format!("/v1/tasks/{wanted}/cancel"), "")
        .await
        .good();
    assert_eq!(
        by_queue.names(3).await,
        ["submitted", "queued", "cancelled"]
    );
    assert_eq!(by_task.names(1).await, ["cancelled"]);
}

#[tokio::test]
async fn a_stream_names_the_node_whose_events_it_has() {
    let (one, other) = (Site::start().await, Site::start().await);
    let mut nodes = Vec::new();
    for site in [&one, &other, &one] {
        let request = Request::get("/v1/events").body(Full::<Bytes>::default());
        let response = site.open(request.expect("a request")).await;
        let node = response.headers().get("russet-node").expect("a node");
        nodes.push(node.to_str().expect("text").to_owned());
    }
    assert!(nodes[0] == nodes[2] && nodes[0] != nodes[1], "{nodes:?}");
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let site = Site::start().await;
    let mut events = Events::open(&site, "").await;
    site.stop().await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let site = Site::start().await;
    let mut events = Events::open(&site, "").await;
    let one = site.submit(r#"{"type": "a"}"#).await;
    assert_eq!(events.names(1).await, ["submitted"]);
    let last = events.last.clone();
    drop(events);
    site.submit(r#"{"type": "a", "queue": "other"}"#).await;
    let two = site.submit(r#"{"type": "a"}"#).await;
    let mut events = Events::open_behind(&site, "?queue=default", Some(&last)).await;
    for (task, event) in [(&one, "queued"), (&two, "submitted"), (&two, "queued")] {
        let told = events.next().await.expect("an event");
        assert_eq!(
            (&told["task"], &told["event"]),
            (&json!(task), &json!(event))
        );
    }
    // Behind the last event there is nothing but what comes then.
    let mut events = Events::open_behind(&site, "", Some(&events.last)).await;
    let three = site.submit(r#"{"type": "a"}"#).await;
    assert_eq!(events.next().await.expect("an event")["task"], three);
}

#[tokio::test]
async fn a_reader_that_had_no_event_yet_comes_back_to_where_its_stream_began() {
    let site = Site::start().await;
    let mut events = Events::open(&site, "").await;
    let begun = events.part().await.expect("goes on");
    assert!(
        begun.starts_with("id: ") && begun.lines().count() == 1,
        "{begun}"
    );
    let last = events.last.clone();
    drop(events);
    let id = site.submit(r#"{"type": "a"}"#).await;
    let mut events = Events::open_behind(&site, "", Some(&last)).await;
    assert_eq!(events.next().await.expect("an event")["task"], id);
}

#[tokio::test]
async fn a_reader_is_told_when_what_it_missed_is_not_kept_any_more() {
    let site = Site::start().await;
    let mut events = Events::open(&site, "").await;
    events.part().await.expect("goes on");
    let last = events.last.clone();
    drop(events);
    let tasks = vec![r#"{"type": "a"}"#; 1_000].join(", ");
    let batch = format!(r#"{{"tasks": [{tasks}]}}"#);
    // Each task is submitted and queued.
    for _ in 0..=russet_engine::limits::EVENTS_KEPT / 2_000 {
        site.post("/v1/tasks", &batch).await.good();
    }
    let mut events = Events::open_behind(&site, "?queue=late", Some(&last)).await;
    let (name, missed) = events.named().await.expect("goes on");
    assert_eq!((&*name, &missed["reason"]), ("missed", &json!("forgotten")));
    assert!(missed["commits"].as_u64() >= Some(1), "{missed}");
    let id = site.submit(r#"{"type": "a", "queue": "late"}"#).await;
    assert_eq!(events.next().await.expect("an event")["task"], id);
}

#[tokio::test]
async fn a_reader_is_told_when_its_position_is_none_of_this_start_of_the_node() {
    let (one, other) = (Site::start().await, Site::start().await);
    let mut events = Events::open(&other, "").await;
    events.part().await.expect("goes on");
    let (start, _) = events.last.split_once('-').expect("a position");
    let to_come = format!("{start}-1000000-0");
    for (site, last) in [(&one, &*events.last), (&one, "no id"), (&other, &to_come)] {
        let mut events = Events::open_behind(site, "", Some(last)).await;
        let (name, missed) = events.named().await.expect("goes on");
        assert_eq!((&*name, missed), ("missed", json!({"reason": "unknown"})));
        let id = site.submit(r#"{"type": "a"}"#).await;
        assert_eq!(events.next().await.expect("an event")["task"], id, "{last}");
    }
}
