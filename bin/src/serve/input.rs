//! What requests carry, read once, with problems that name the field.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use russet::wire::{Problem, from_json};

use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::{App, limits};

/// A JSON body.
pub(super) struct Input<T>(pub T);

/// A JSON body that may be left out.
pub(super) struct InputOrDefault<T>(pub T);

/// The query of the address.
pub(super) struct Filter<T>(pub T);

/// The one parameter in the path.
pub(super) struct Named<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (bytes, _room) = read(request, app).await?;
        if bytes.is_empty() {
            let missing = "the body is empty: send a JSON object";
            return Err(Problem::new("malformed", 400, missing).into());
        }
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for InputOrDefault<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (bytes, _room) = read(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Filter<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        let pairs = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| {
                let field = error.path().to_string();
                let inner = error.inner();
                let unnamed = field == ".";
                let detail = match unnamed {
                    true => format!("query: {inner}"),
                    false => format!("{field}: {inner}"),
                };
                let mut problem = Problem::new("invalid", 422, detail);
                problem.field = Some(field).filter(|_| !unnamed);
                problem.into()
            })
    }
}

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let unreadable = |error: &dyn Display| {
            let detail = format!("the path cannot be read: {error}");
            Refusal::from(Problem::new("malformed", 400, detail))
        };
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|error| unreadable(&error))?;
        let Some((name, text)) = params.iter().next() else {
            return Err(unreadable(&"it has no parameter"));
        };
        text.parse().map(Self).map_err(|error: T::Err| {
            let shown: String = text.chars().take(60).collect();
            let mut problem = Problem::new("invalid", 422, format!("{name}: {shown:?} is {error}"));
            problem.field = Some(name.to_owned());
            problem.into()
        })
    }
}

/// Parses fast; only a body that is refused is parsed again, to name the field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) => Ok(from_json(bytes)?),
    }
}

/// The whole body, at most [`limits::BODY_BYTES`] of it, and the room that it takes.
async fn read(
    request: Request,
    app: &App,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Refusal> {
    let size = request.body().size_hint();
    if size.lower() > limits::BODY_BYTES as u64 {
        return Err(too_large());
    }
    // A body of unknown length may become the longest.
    let most = size.upper().unwrap_or(limits::BODY_BYTES as u64);
    let room = room(app, most)?;
    let body = Limited::new(request.into_body(), limits::BODY_BYTES).collect();
    match timeout(limits::BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok((body.to_bytes(), room)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            let detail = format!("the body could not be read: {error}");
            Err(Problem::new("malformed", 400, detail).into())
        }
        Err(_) => {
            let seconds = limits::BODY_TIMEOUT.as_secs();
            let detail = format!("the body did not arrive within {seconds} s: send it again");
            Err(Problem::new("timeout", 408, detail).into())
        }
    }
}

/// Room for a body of this many bytes.
fn room(app: &App, bytes: u64) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
    if bytes <= limits::SMALL_BODY_BYTES as u64 {
        return Ok(None);
    }
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    app.bodies.try_acquire_many(kib).map(Some).map_err(|_| {
        let detail = "too many large requests are being read: send this one again later";
        let problem = Problem::new("overloaded", 429, detail);
        problem.retry_after(limits::RETRY_AFTER_MS).into()
    })
}

fn too_large() -> Refusal {
    let limit = format!("at most {} bytes", limits::BODY_BYTES);
    let detail = format!(
        "the body is too large ({limit}): split the batch, or keep large data elsewhere and pass a reference"
    );
    let mut problem = Problem::new("too_large", 413, detail);
    problem.limit = Some(limit);
    problem.into()
}
