//! A server on a free port with an in-memory store, and a small client for it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use russet_backends::memory::Memory;
use russet_cli::serve::{Metrics, Place, ServeError, Server, Stop, Tokens};
use russet_engine::{Backend, Configuration, Scheduler, SystemClock, SystemEntropy};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::contract;
use crate::held::Held;

/// A running server.
pub struct Site {
    pub address: SocketAddr,
    pub store: Arc<Held>,
    stop: Arc<Stop>,
    running: JoinHandle<Result<(), ServeError>>,
    tokens: Vec<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The JSON of an answer that must be good.
    pub fn good(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.text()
        );
        self.json()
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(1, &[]).await
    }

    /// As [`Self::start`], on a store of several partitions.
    pub async fn parted() -> Self {
        Self::with(2, &[]).await
    }

    pub async fn with_tokens(tokens: &[&str]) -> Self {
        Self::with(1, tokens).await
    }

    async fn with(partitions: u16, tokens: &[&str]) -> Self {
        let clock = Arc::new(SystemClock);
        let memory = Memory::new(partitions, clock.clone());
        let metrics = Arc::new(Metrics::new());
        let configuration = Configuration {
            observers: vec![metrics.clone()],
            ..Configuration::default()
        };
        let store = Held::new(memory.clone());
        let backend = Backend {
            store: store.clone(),
            queue: memory,
        };
        let entropy = Arc::new(SystemEntropy::new());
        let scheduler = Scheduler::start(backend, configuration, clock, entropy);
        let tokens: Vec<_> = tokens.iter().map(|token| (*token).to_owned()).collect();
        let listen = ([127, 0, 0, 1], 0).into();
        let place = Place::take(listen, Tokens::new(tokens.clone())).expect("a free port");
        let server = Server::listen(place, partitions, scheduler, metrics);
        let server = server.expect("listens");
        Self {
            address: server.address(),
            store,
            stop: server.stop(),
            running: tokio::spawn(server.run()),
            tokens,
        }
    }

    /// Tells the server to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.now();
        self.end().await.expect("it is whole");
    }

    /// Waits until the server has stopped.
    pub async fn end(self) -> Result<(), ServeError> {
        self.running.await.expect("the server does not panic")
    }

    /// Tells the server to stop.
    pub fn begin_to_stop(&self) {
        self.stop.now();
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &str) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    /// Sends a request, with the first token if there is one, and checks the answer.
    pub async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = self.tokens.first() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = Bytes::from(body.unwrap_or_default().to_owned());
        self.raw(request.body(Full::new(body)).expect("a request"))
            .await
    }

    /// Sends a request as it is, and checks the answer.
    pub async fn raw(&self, request: Request<Full<Bytes>>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.open(request).await;
        let (head, body) = response.into_parts();
        let answer = Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes(),
        };
        contract::check(method.as_str(), &path, &answer);
        answer
    }

    /// Sends a request and returns its answer before its end.
    pub async fn open(&self, mut request: Request<Full<Bytes>>) -> Response<Incoming> {
        let host = self.address.to_string().parse().expect("a header");
        request.headers_mut().entry("host").or_insert(host);
        self.connect()
            .await
            .send_request(request)
            .await
            .expect("an answer")
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.expect("connects");
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .expect("speaks HTTP");
        tokio::spawn(connection);
        sender
    }

    /// Submits a task and returns its id.
    pub async fn submit(&self, body: &str) -> String {
        let accepted = self.post("/v1/tasks", body).await.good();
        accepted["task"].as_str().expect("an id").to_owned()
    }

    /// Leases one task of queue `default`, which must be there.
    pub async fn lease(&self) -> Value {
        let body = r#"{"queues": ["default"], "worker": "w", "wait_ms": 10000}"#;
        let leased = self.post("/v1/leases", body).await.good();
        assert_eq!(
            leased["tasks"].as_array().map(Vec::len),
            Some(1),
            "{leased}"
        );
        leased["tasks"][0].clone()
    }
}

/// What names a held lease in a request: `"task": ..., "lease_id": ...`.
pub fn held(task: &Value) -> String {
    format!(
        r#""task": {}, "lease_id": {}"#,
        task["id"], task["lease_id"]
    )
}
