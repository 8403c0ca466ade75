//! The way to the server.

use std::future::Future;
use std::process::ExitCode;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use russet::limits::CALL_TIMEOUT;
use russet::wire::Problem;
use russet::{Client, Error};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{CliError, Global};

/// Largest answer that is read.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Runs a command that talks to the server.
pub(super) fn block_on(
    command: impl Future<Output = Result<ExitCode, CliError>>,
) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| CliError::System {
            what: "cannot start",
            why,
        })?;
    runtime.block_on(command)
}

impl Global {
    /// A client of the server.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        Ok(match &self.token {
            Some(token) => Client::http_with_token(&self.url, token)?,
            None => Client::http(&self.url)?,
        })
    }

    /// What a server has at `path`, for what the client does not know: the first that is there.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let client = self.client()?;
        let mut last = String::new();
        for server in client.servers() {
            let body = match self.get(server, path, None).await {
                Err(CliError::Unreachable { why, .. }) => {
                    last = why;
                    continue;
                }
                answer => whole(answer?, server).await?,
            };
            let read = serde_json::from_slice(&body);
            return Ok(read.map_err(|error| unreadable(server, &error))?);
        }
        Err(unreachable(&client, last))
    }

    /// What a server answers at `path`, as it comes; of events, those that follow `last`.
    pub(super) async fn get(
        &self,
        server: &str,
        path: &str,
        last: Option<&str>,
    ) -> Result<Incoming, CliError> {
        let server = server.to_owned();
        let mut request = hyper::Request::get(format!("{server}{path}"));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| Error::Setting {
                what: "the address",
                why: error.to_string(),
            })?;
        let http = Http::builder(TokioExecutor::new()).build_http();
        let answer = timeout(CALL_TIMEOUT, http.request(request)).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {CALL_TIMEOUT:?}")),
        };
        let answer = answer.map_err(|why| Error::Unreachable {
            server: server.clone(),
            why,
        })?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let body = whole(answer.into_body(), &server).await?;
        let problem: Problem =
            serde_json::from_slice(&body).map_err(|error| unreadable(&server, &error))?;
        Err(problem.into())
    }
}

/// That none of the servers is there.
pub(super) fn unreachable(client: &Client, why: String) -> CliError {
    let server = client.servers().join(", ");
    CliError::Unreachable { server, why }
}

async fn whole(body: Incoming, server: &str) -> Result<Bytes, Error> {
    let body = timeout(CALL_TIMEOUT, Limited::new(body, ANSWER_BYTES).collect()).await;
    let late = |_| {
        unreadable(
            server,
            &format!("its end did not come within {CALL_TIMEOUT:?}"),
        )
    };
    let body = body.map_err(late)?;
    let body = body.map_err(|error| unreadable(server, &error))?;
    Ok(body.to_bytes())
}

fn unreadable(server: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Unreadable {
        server: server.to_owned(),
        why: error.to_string(),
    }
}
