//! A scheduler node: the engine over the network, and the API in front of it.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use hyper::{Method, Request, Response, StatusCode};
use russet::Api;
use russet::wire::{self, Problem};
use russet_core::{Event, Millis, QueueConfig};
use russet_engine::{Backend, Configuration, Entropy, Observer, Scheduler};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::net::{Arrived, Net, Parcel, Reply};
use super::time::{NodeClock, now};
use crate::history::{Actor, Journal, What};
use crate::plan::{AGING, Plan, Random};

/// What a node is started with.
pub struct NodeSetting {
    /// Which node.
    pub actor: Actor,
    /// Its clock.
    pub clock: Arc<NodeClock>,
    /// What chance gives it, from this start on.
    pub random: Random,
    /// Its store and its queue.
    pub backend: Backend,
}

/// Tells the journal of every event.
struct Teller {
    node: Actor,
    journal: Journal,
}

impl Observer for Teller {
    fn observe(&self, events: &[Event]) {
        for event in events {
            let (node, event) = (self.node, Box::new(event.clone()));
            self.journal.write(now(), What::Told { node, event });
        }
    }
}

/// Runs a node for as long as it is polled.
pub async fn run(setting: NodeSetting, plan: &Plan, net: Net, journal: Journal) {
    let NodeSetting {
        actor,
        clock,
        random,
        backend,
    } = setting;
    let configuration = Configuration {
        max_clock_skew: Millis::new(plan.max_clock_skew_ms),
        queue_defaults: queue_defaults(),
        observers: vec![Arc::new(Teller {
            node: actor,
            journal,
        })],
        ..Configuration::default()
    };
    let entropy: Arc<dyn Entropy> = Arc::new(random);
    let scheduler = Scheduler::start(backend, configuration, clock, entropy);
    let api = Api::new(scheduler);
    let partitions = plan.partitions;
    let mut arrivals = net.listen(actor);
    while let Some(Arrived { parcel, reply, .. }) = arrivals.recv().await {
        let Parcel::Http(request) = parcel else {
            continue;
        };
        let api = api.clone();
        tokio::spawn(async move {
            let response = respond(&api, partitions, request).await;
            // Whoever asked may have gone.
            let _ = reply.send(Reply::Http(response));
        });
    }
}

/// How queues treat their tasks until they are configured otherwise.
pub fn queue_defaults() -> QueueConfig {
    QueueConfig {
        aging: AGING,
        ..QueueConfig::default()
    }
}

async fn respond(api: &Api, partitions: u16, request: Request<Bytes>) -> Response<Bytes> {
    match route(api, partitions, &request).await {
        Ok(body) => response(StatusCode::OK, body),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status);
            let body = serde_json::to_vec(&problem).unwrap_or_default();
            response(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
        }
    }
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
}

/// The routes of `/v1` that clients and workers use here.
async fn route(api: &Api, partitions: u16, request: &Request<Bytes>) -> Result<Vec<u8>, Problem> {
    let path = request.uri().path();
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    let post = *request.method() == Method::POST;
    match (post, parts.as_slice()) {
        (false, ["info"]) => body(Ok(api.info(partitions))),
        (true, ["tasks"]) => body(api.submit(read(request)?).await),
        (true, ["workflows"]) => body(api.submit_workflow(read(request)?).await),
        (true, ["workflows", id, "cancel"]) => {
            let cancelled = api.cancel_workflow(wire::id("id", id)?, read(request)?);
            body(cancelled.await)
        }
        (true, ["workflows", id, "redrive"]) => {
            let redriven = api.redrive_workflow(wire::id("id", id)?, read(request)?);
            body(redriven.await)
        }
        (false, ["tasks"]) => body(api.list(wire::ListTasks::default()).await),
        (false, ["tasks", id]) => body(api.get(wire::id("id", id)?).await),
        (false, ["tasks", id, "wait"]) => {
            let request = wire::WaitTask {
                timeout_ms: Some(2_000),
            };
            body(api.wait(wire::id("id", id)?, request).await)
        }
        (true, ["tasks", "redrive"]) => body(api.redrive_each(read(request)?).await),
        (true, ["tasks", id, "cancel"]) => {
            body(api.cancel(wire::id("id", id)?, read(request)?).await)
        }
        (true, ["tasks", id, "redrive"]) => {
            body(api.redrive(wire::id("id", id)?, read(request)?).await)
        }
        (true, ["tasks", id, "purge"]) => body(api.purge(wire::id("id", id)?).await),
        // The body of this method makes a large future.
        (true, ["leases"]) => body(api.lease(read(request)?).boxed().await),
        (true, ["leases", "extend"]) => body(api.extend(read(request)?).await),
        (true, ["leases", "complete"]) => body(api.complete(read(request)?).await),
        (true, ["leases", "fail"]) => body(api.fail(read(request)?).await),
        (true, ["leases", "release"]) => body(api.release(read(request)?).await),
        (false, ["queues", name]) => body(api.configure(name, read(request)?).await),
        (true, ["queues", name, "pause"]) => body(api.pause(name).await),
        (true, ["queues", name, "resume"]) => body(api.resume(name).await),
        _ => Err(Problem::new(
            "no_route",
            404,
            format!("there is nothing at {path}"),
        )),
    }
}

fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, Problem> {
    wire::from_json(request.body())
}

fn body<T: Serialize>(reply: Result<T, Problem>) -> Result<Vec<u8>, Problem> {
    let written = serde_json::to_vec(&reply?);
    written.map_err(|error| Problem::new("internal", 500, error.to_string()))
}
