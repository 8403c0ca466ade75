use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use russet::{Transport, TransportError};
use russet_engine::SystemEntropy;
use serde_json::Value;

use crate::journal::{Accepted, Journal};

/// How long a node may take for an answer: longer than a worker's poll waits for a task.
const ANSWER: Duration = Duration::from_secs(4);

/// Carries requests to one of several nodes: to the next one when it fails. Completions that are
/// accepted are written to a journal.
pub struct AnyNode {
    nodes: Vec<String>,
    at: AtomicUsize,
    pool: Client<HttpConnector, Full<Bytes>>,
    journal: Option<Journal>,
}

/// A client of the nodes, whose requests go to `first` at first.
pub fn client(nodes: &[String], first: usize, journal: Option<Journal>) -> russet::Client {
    let transport = AnyNode {
        nodes: nodes.to_vec(),
        at: AtomicUsize::new(first),
        pool: Client::builder(TokioExecutor::new()).build_http(),
        journal,
    };
    let entropy = std::sync::Arc::new(SystemEntropy::new());
    russet::Client::over(transport, "http://any.node", entropy).expect("an address")
}

impl AnyNode {
    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let sent = self.pool.request(request.map(Full::new)).await;
        let sent = sent.map_err(|error| match error.is_connect() {
            true => TransportError::NotSent {
                why: error.to_string(),
            },
            false => lost(&error),
        })?;
        let (head, body) = sent.into_parts();
        let body = body.collect().await.map_err(|error| lost(&error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

#[async_trait]
impl Transport for AnyNode {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let at = self.at.load(Ordering::Relaxed);
        let node = &self.nodes[at % self.nodes.len()];
        let path = request.uri().path_and_query().expect("a path").clone();
        let completes = path.as_str() == "/v1/leases/complete";
        *request.uri_mut() = format!("{node}{path}").parse::<Uri>().expect("an address");
        let answer = tokio::time::timeout(ANSWER, self.answer(request)).await;
        let answer = answer.unwrap_or_else(|late| Err(lost(&late)));
        match &answer {
            Ok(response) if response.status().is_server_error() => self.leave(at),
            Ok(response) if completes && response.status().is_success() => {
                self.note(response.body());
            }
            Ok(_) => {}
            Err(_) => self.leave(at),
        }
        answer
    }
}

impl AnyNode {
    /// Goes to the next node, unless another request already has.
    fn leave(&self, at: usize) {
        let (now, next) = (Ordering::Relaxed, at.wrapping_add(1));
        let _ = self.at.compare_exchange(at, next, now, now);
    }

    fn note(&self, body: &[u8]) {
        let Some(journal) = &self.journal else {
            return;
        };
        let reply: Value = serde_json::from_slice(body).expect("an answer in JSON");
        let results = match reply["results"].as_array() {
            Some(results) => results.clone(),
            None => vec![reply],
        };
        for result in results.iter().filter(|result| result["error"].is_null()) {
            let task = result["task"].as_str().and_then(|id| id.parse().ok());
            journal.accepted(&Accepted {
                task: task.expect("a task"),
                attempt: result["attempt"].as_u64().expect("an attempt"),
            });
        }
    }
}

fn lost(error: &dyn std::error::Error) -> TransportError {
    let why = error.to_string();
    TransportError::Lost { why }
}
