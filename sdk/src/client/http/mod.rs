//! Calls over HTTP, to one node of a store, and to the next when that fails.

mod call;
mod each;
mod ids;
mod servers;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use russet_engine::{Entropy, TaskIds};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

pub(super) use call::{Call, encoded, query};
use ids::Server;
use servers::{Asked, Servers};
use transport::Pool;
pub use transport::{Transport, TransportError};

use crate::backoff::Backoff;
use crate::wire::{Problem, from_json_fast};
use crate::{Error, limits};

/// Servers, and what carries requests to them.
pub(super) struct Http {
    servers: Servers,
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
            servers: Servers::new(url)?,
            authorization: token.map(bearer).transpose()?,
            transport,
            entropy,
            ids,
            known: OnceCell::new(),
        })
    }

    /// The address of the server that is asked.
    pub fn server(&self) -> &str {
        self.servers.current()
    }

    /// The addresses of all servers.
    pub fn servers(&self) -> &[String] {
        self.servers.all()
    }

    /// A call with a body.
    pub async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        call: Call,
        body: &B,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|e| Error::json("the request", e))?;
        self.read(&self.repeated(&call, Bytes::from(body)).await?.body)
    }

    /// A call without a body.
    pub async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.read(&self.repeated(&call, Bytes::new()).await?.body)
    }

    fn read<T: DeserializeOwned>(&self, reply: &[u8]) -> Result<T, Error> {
        from_json_fast(reply).map_err(|error| Error::Unreadable {
            server: self.server().to_owned(),
            why: error.to_string(),
        })
    }

    /// Tries a call until it is answered, as often as that is safe and may help.
    async fn repeated(&self, call: &Call, body: Bytes) -> Result<Reply, Error> {
        let mut backoff = Backoff::new(limits::CALL_BACKOFF, limits::CALL_BACKOFF_MAX);
        let (start, budget) = (Instant::now(), limits::CALL_BUDGET + call.wait);
        let (mut asked, mut doubt, mut said) = (Asked::of(&self.servers), None, None);
        let (mut tries, mut elsewhere) = (0, false);
        loop {
            let server = asked.next(elsewhere);
            let others = asked.leaves_any();
            let error = match self.once(server, call, body.clone(), others).await {
                Ok(body) => return Ok(Reply { body, doubt }),
                Err(error) => error,
            };
            tries += 1;
            // Another server that was not asked yet is asked at once, whatever came before.
            elsewhere = error.is_the_servers() && others;
            let again = error.is_temporary() && (call.safe || error.is_unchanged());
            let most = match &error {
                // It is there, and will soon be able to.
                Error::Refused(_) => limits::REFUSED_TRIES,
                _ => limits::CALL_TRIES,
            };
            let goes_on = tries < most && start.elapsed() < budget;
            if !again || !(elsewhere || goes_on) {
                return Err(given_up(error, &asked, doubt, said));
            }
            let pause = match elsewhere {
                true => Duration::ZERO,
                false => backoff.pause(error.retry_after(), self.entropy.as_ref()),
            };
            tracing::debug!(%error, path = %call.path, ?pause, "calling again");
            match error {
                error if !error.is_unchanged() => doubt = doubt.or(Some(error)),
                Error::Refused(_) => said = Some(error),
                _ => {}
            }
            sleep(pause).await;
        }
    }

    /// Asks a server, which is left when it cannot be reached or cannot answer: soon, when there
    /// are `others` that can be asked for the same.
    async fn once(
        &self,
        server: &str,
        call: &Call,
        body: Bytes,
        others: bool,
    ) -> Result<Bytes, Error> {
        let patience = match others && call.safe {
            true => limits::SERVER_TIMEOUT,
            false => limits::CALL_TIMEOUT,
        };
        let answer = self.ask(server, call, body, patience + call.wait).await;
        if answer.as_ref().is_err_and(Error::is_the_servers) {
            self.servers.leave(server);
        }
        answer
    }

    async fn ask(
        &self,
        server: &str,
        call: &Call,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Error> {
        let request = self.request(server, call, body)?;
        let response = match timeout(patience, self.transport.send(request)).await {
            Ok(answer) => answer.map_err(|error| failed(server, error))?,
            Err(_) => return Err(lost(server, format!("nothing came within {patience:?}"))),
        };
        let (status, body) = (response.status(), response.into_body());
        match status.is_success() {
            true => Ok(body),
            false => Err(self.problem(server, status, &body).into()),
        }
    }

    /// What a refusal says; a proxy's is turned into a problem too.
    fn problem(&self, server: &str, status: StatusCode, body: &[u8]) -> Problem {
        let Ok(mut problem) = serde_json::from_slice::<Problem>(body) else {
            return strange(server, status, body);
        };
        if status == StatusCode::UNAUTHORIZED && self.servers.len() > 1 {
            problem.detail = format!("{server}: {}", problem.detail);
        }
        problem
    }

    fn request(&self, server: &str, call: &Call, body: Bytes) -> Result<Request<Bytes>, Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{server}{}", call.path))
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
}

/// What a call was answered.
struct Reply {
    body: Bytes,
    /// How a try before ended that may have done what was asked.
    doubt: Option<Error>,
}

/// The error of a call of which `last` was the last. What matters is that a try before, of which
/// there is `doubt`, may have done it, unless the last one says of what was asked itself how it is
/// with it. Where the last one was not sent, a server before `said` why it could not.
fn given_up(last: Error, asked: &Asked<'_>, doubt: Option<Error>, said: Option<Error>) -> Error {
    match (last, doubt, said) {
        (last, Some(doubt), _) if last.is_of_one_try() => doubt.and_then(&last),
        (Error::Unreachable { .. }, _, Some(said)) => said,
        (Error::Unreachable { why, .. }, _, None) => Error::Unreachable {
            server: asked.names(),
            why,
        },
        (last, ..) => last,
    }
}

fn failed(server: &str, error: TransportError) -> Error {
    let at = server.to_owned();
    match error {
        TransportError::NotSent { why } => Error::Unreachable { server: at, why },
        TransportError::Lost { why } => lost(server, why),
    }
}

fn lost(server: &str, why: String) -> Error {
    let server = server.to_owned();
    Error::Lost { server, why }
}

/// The refusal of what does not speak as a Russet server does, such as a proxy.
fn strange(server: &str, status: StatusCode, body: &[u8]) -> Problem {
    let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
    let (code, hint) = match status {
        StatusCode::NOT_FOUND => ("no_route", "; is it a Russet server? It said"),
        _ => ("http", ""),
    };
    let detail = format!("{server} answered {status}{hint}: {text}");
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

fn setting(what: &'static str, why: &dyn std::fmt::Display) -> Error {
    let why = why.to_string();
    Error::Setting { what, why }
}

#[cfg(test)]
mod tests;
