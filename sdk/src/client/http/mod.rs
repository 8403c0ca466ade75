//! Calls over HTTP/1.1, with a pool of connections.

mod call;
mod each;
mod ids;

use std::error::Error as _;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use russet_engine::{Entropy, TaskIds};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

pub(super) use call::{Call, encoded, query};
use ids::Server;

use crate::backoff::Backoff;
use crate::wire::Problem;
use crate::{Error, limits};

/// A server, and the connections to it.
pub(super) struct Http {
    base: String,
    authorization: Option<HeaderValue>,
    pool: Client<HttpConnector, Full<Bytes>>,
    entropy: Arc<dyn Entropy>,
    ids: Arc<TaskIds>,
    known: OnceCell<Option<Server>>,
}

impl Http {
    pub fn new(
        url: &str,
        token: Option<&str>,
        entropy: Arc<dyn Entropy>,
        ids: Arc<TaskIds>,
    ) -> Result<Self, Error> {
        let authorization = token.map(bearer).transpose()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE_TIMEOUT)
            .pool_max_idle_per_host(limits::IDLE_CONNECTIONS)
            .build(connector);
        Ok(Self {
            base: base(url)?,
            authorization,
            pool,
            entropy,
            ids,
            known: OnceCell::new(),
        })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.base
    }

    /// A call with a body.
    pub async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        call: Call,
        body: &B,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|e| Error::json("the request", e))?;
        self.read(&self.repeated(&call, Bytes::from(body)).await?)
    }

    /// A call without a body.
    pub async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.read(&self.repeated(&call, Bytes::new()).await?)
    }

    fn read<T: DeserializeOwned>(&self, reply: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(reply).map_err(|error| Error::Unreadable {
            server: self.base.clone(),
            why: error.to_string(),
        })
    }

    /// Tries a call until it is answered, as often as that is safe and may help.
    async fn repeated(&self, call: &Call, body: Bytes) -> Result<Bytes, Error> {
        let mut backoff = Backoff::new(limits::CALL_BACKOFF, limits::CALL_BACKOFF_MAX);
        let mut tries = 1;
        loop {
            let error = match self.once(call, body.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let again = error.is_temporary() && (call.safe || error.is_unchanged());
            if !again || tries == limits::CALL_TRIES {
                return Err(error);
            }
            tries += 1;
            let pause = backoff.pause(error.retry_after(), self.entropy.as_ref());
            tracing::debug!(%error, path = %call.path, ?pause, "calling again");
            sleep(pause).await;
        }
    }

    async fn once(&self, call: &Call, body: Bytes) -> Result<Bytes, Error> {
        let request = self.request(call, body)?;
        let exchange = async {
            let sent = self.pool.request(request).await;
            let response = sent.map_err(|error| self.failed(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), limits::REPLY_BYTES);
            match body.collect().await {
                Ok(body) => Ok((status, body.to_bytes())),
                Err(error) => Err(self.lost(error.to_string())),
            }
        };
        let patience = limits::CALL_TIMEOUT + call.wait;
        let (status, body) = match timeout(patience, exchange).await {
            Ok(answer) => answer?,
            Err(_) => return Err(self.lost(format!("nothing came within {patience:?}"))),
        };
        match status.is_success() {
            true => Ok(body),
            false => Err(problem(status, &body).into()),
        }
    }

    fn request(&self, call: &Call, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body));
        request.map_err(|error| setting("the address", &error))
    }

    fn failed(&self, error: &legacy::Error) -> Error {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        if error.is_connect() {
            let server = self.base.clone();
            return Error::Unreachable { server, why };
        }
        self.lost(why)
    }

    fn lost(&self, why: String) -> Error {
        let server = self.base.clone();
        Error::Lost { server, why }
    }
}

/// What a refusal says; a proxy's is turned into a problem too.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return problem;
    }
    let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
    let code = match status {
        StatusCode::NOT_FOUND => "no_route",
        _ => "http",
    };
    let detail = format!("the server answered {status}: {text}");
    Problem::new(code, status.as_u16(), detail)
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| Error::Setting {
        what: "the token",
        why: "it has characters that a header cannot hold".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// `url` without a slash at its end, when it is one of plain HTTP.
fn base(url: &str) -> Result<String, Error> {
    let uri: Uri = url
        .parse()
        .map_err(|error| setting("the address", &error))?;
    let usable = uri.scheme_str() == Some("http") && uri.query().is_none();
    if usable && uri.authority().is_some() {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(Error::Setting {
        what: "the address",
        why: format!("{url:?} is not of the form http://host:port; for TLS use a proxy beside"),
    })
}

fn setting(what: &'static str, why: &dyn std::fmt::Display) -> Error {
    let why = why.to_string();
    Error::Setting { what, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_with_or_without_a_path() {
        assert_eq!(
            base("http://10.0.0.1:7300/").ok().as_deref(),
            Some("http://10.0.0.1:7300")
        );
        assert_eq!(
            base("http://h/russet").ok().as_deref(),
            Some("http://h/russet")
        );
        for wrong in ["https://h", "h:80", "/v1", "http://h/?a=b", ""] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_answer_of_a_proxy_becomes_a_problem() {
        let answer = problem(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(answer.status, 502);
        assert!(Error::from(answer).is_temporary());
    }
}
