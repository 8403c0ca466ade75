//! Calls over HTTP.

mod call;
mod each;
mod ids;
mod transport;

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use russet_engine::{Entropy, TaskIds};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

pub(super) use call::{Call, encoded, query};
use ids::Server;
use transport::Pool;
pub use transport::{Transport, TransportError};

use crate::backoff::Backoff;
use crate::wire::Problem;
use crate::{Error, limits};

/// A server, and what carries requests to it.
pub(super) struct Http {
    base: String,
    authorization: Option<HeaderValue>,
    transport: Arc<dyn Transport>,
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
        Self::over(Arc::new(Pool::new()), url, token, entropy, ids)
    }

    pub fn over(
        transport: Arc<dyn Transport>,
        url: &str,
        token: Option<&str>,
        entropy: Arc<dyn Entropy>,
        ids: Arc<TaskIds>,
    ) -> Result<Self, Error> {
        Ok(Self {
            base: base(url)?,
            authorization: token.map(bearer).transpose()?,
            transport,
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
        let patience = limits::CALL_TIMEOUT + call.wait;
        let response = match timeout(patience, self.transport.send(request)).await {
            Ok(answer) => answer.map_err(|error| self.failed(error))?,
            Err(_) => return Err(self.lost(format!("nothing came within {patience:?}"))),
        };
        let (status, body) = (response.status(), response.into_body());
        match status.is_success() {
            true => Ok(body),
            false => Err(problem(status, &body).into()),
        }
    }

    fn request(&self, call: &Call, body: Bytes) -> Result<Request<Bytes>, Error> {
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
        let request = request.body(body);
        request.map_err(|error| setting("the address", &error))
    }

    fn failed(&self, error: TransportError) -> Error {
        match error {
            TransportError::NotSent { why } => {
                let server = self.base.clone();
                Error::Unreachable { server, why }
            }
            TransportError::Lost { why } => self.lost(why),
        }
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
