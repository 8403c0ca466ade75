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
}

impl Events {
    async fn open(site: &Site, query: &str) -> Self {
        let request = Request::get(format!("/v1/events{query}"));
        let response = site
            .open(request.body(Full::<Bytes>::default()).expect("a request"))
            .await;
        assert_eq!(
            response.headers().get("content-type").expect("a type"),
            "text/event-stream"
        );
        let (body, text) = (response.into_body(), String::new());
        Self { body, text }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|data| serde_json::from_str(data).expect("JSON"));
                assert!(event.lines().any(|line| line == "event: task"), "{event}");
                self.text = rest.to_owned();
                data.iter().for_each(contract::check_event);
                return data;
            }
            let frame = timeout(Duration::from_secs(10), self.body.frame())
                .await
                .expect("in time")?;
            let data = frame.expect("a frame").into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
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
