//! What carries requests to a server.

use std::error::Error as _;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::limits;

/// Carries requests to a server, each once. An application can put its own in place of the
/// pool of plain connections: for TLS, for a proxy, for a network that is simulated.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, whose address is absolute, and returns the whole response. The caller
    /// bounds the time that this may take, and drops the future then.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The server cannot be reached; nothing was sent to it.
    #[error("{why}")]
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// The request was sent; it may or may not have been carried out.
    #[error("{why}")]
    Lost {
        /// What went wrong.
        why: String,
    },
}

/// Plain HTTP/1.1, with a pool of connections.
pub(super) struct Pool(Client<HttpConnector, Full<Bytes>>);

impl Pool {
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE_TIMEOUT)
            .pool_max_idle_per_host(limits::IDLE_CONNECTIONS)
            .build(connector);
        Self(pool)
    }
}

#[async_trait]
impl Transport for Pool {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let sent = self.0.request(request.map(Full::new)).await;
        let (head, body) = sent.map_err(|error| failed(&error))?.into_parts();
        match Limited::new(body, limits::REPLY_BYTES).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) => Err(TransportError::Lost {
                why: error.to_string(),
            }),
        }
    }
}

fn failed(error: &legacy::Error) -> TransportError {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    match error.is_connect() {
        true => TransportError::NotSent { why },
        false => TransportError::Lost { why },
    }
}
