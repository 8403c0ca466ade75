//! What requests carry, read once, with problems that name the field.

use std::fmt::Display;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::BodyExt;
use russet::wire::{Problem, from_json, id, refused, worker_name};
use russet_core::{QueueName, Rejection, TaskId, WorkerId, WorkflowId};

use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::{App, limits};

/// A JSON body.
pub(super) struct Input<T>(pub T);

/// A JSON body that may be left out.
pub(super) struct InputOrDefault<T>(pub T);

/// The query of the address.
pub(super) struct Filter<T>(pub T);

/// The header `Idempotency-Key`, which says in place of the body which key names what is
/// submitted.
pub(super) struct KeyHeader(Option<String>);

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
        Ok(Self(from_json(&bytes)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for InputOrDefault<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (bytes, _room) = read(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Ok(Self(from_json(&bytes)?))
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
                let said = error.inner().to_string();
                Problem::misfit(&error.path().to_string(), &said).into()
            })
    }
}

impl<S: Sync> FromRequestParts<S> for KeyHeader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(KeyHeader::NAME).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let several = parts.headers.contains_key(KeyHeader::NAME);
            return match several {
                true => Err(KeyHeader::refused("stands there more than once")),
                false => Ok(Self(None)),
            };
        };
        let text = value.to_str();
        let text = text.map_err(|_| KeyHeader::refused("is not plain ASCII text"))?;
        // The value may be quoted, as the draft of the IETF has it.
        let quoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        Ok(Self(Some(quoted.unwrap_or(text).to_owned())))
    }
}

impl KeyHeader {
    const NAME: &str = "idempotency-key";

    /// Lets the header stand for the key of the body, which must not say another one.
    pub fn fill(self, key: &mut Option<String>) -> Result<(), Refusal> {
        let Some(header) = self.0 else {
            return Ok(());
        };
        match key {
            Some(own) if *own != header => Err(Self::refused(&format!(
                "says {header:?}, and idempotency_key in the body {own:?}: send one of the two"
            ))),
            own => {
                *own = Some(header);
                Ok(())
            }
        }
    }

    /// Refuses the header beside a batch, whose tasks have keys of their own.
    pub fn refuse_batch(self) -> Result<(), Refusal> {
        let refused =
            "names one task, and this is a batch: give each of its tasks an idempotency_key";
        match self.0 {
            Some(_) => Err(Self::refused(refused)),
            None => Ok(()),
        }
    }

    fn refused(why: &str) -> Refusal {
        let mut problem = Problem::new("invalid", 422, format!("Idempotency-Key: {why}"));
        problem.field = Some("Idempotency-Key".to_owned());
        problem.into()
    }
}

/// What an address can name.
pub(super) trait InPath: Sized {
    /// Reads it from the parameter `name`.
    fn read(name: &str, text: &str) -> Result<Self, Rejection>;
}

impl InPath for TaskId {
    fn read(name: &str, text: &str) -> Result<Self, Rejection> {
        id(name, text)
    }
}

impl InPath for WorkflowId {
    fn read(name: &str, text: &str) -> Result<Self, Rejection> {
        id(name, text)
    }
}

impl InPath for QueueName {
    fn read(name: &str, text: &str) -> Result<Self, Rejection> {
        QueueName::new(text).map_err(|error| refused(name, error))
    }
}

impl InPath for WorkerId {
    fn read(_: &str, text: &str) -> Result<Self, Rejection> {
        worker_name(text)
    }
}

impl<S: Send + Sync, T: InPath> FromRequestParts<S> for Named<T> {
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
        T::read(name, text)
            .map(Self)
            .map_err(|rejection| Problem::from(rejection).into())
    }
}

/// The whole body, at most [`limits::BODY_BYTES`] of it, and the room that it takes.
async fn read(request: Request, app: &App) -> Result<(Bytes, Room<'_>), Refusal> {
    let body = request.into_body();
    let size = body.size_hint();
    if size.lower() > limits::BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut room = Room {
        of: &app.bodies,
        held: None,
        bytes: limits::SMALL_BODY_BYTES,
    };
    // A body of unknown length takes its room as it comes.
    room.cover(usize::try_from(size.upper().unwrap_or(0)).unwrap_or(usize::MAX))?;
    let seconds = limits::BODY_TIMEOUT.as_secs();
    match timeout(limits::BODY_TIMEOUT, collect(body, &mut room)).await {
        Ok(bytes) => Ok((bytes?, room)),
        Err(_) => {
            let detail = format!("the body did not arrive within {seconds} s: send it again");
            Err(Problem::new("timeout", 408, detail).into())
        }
    }
}

/// Most bodies are one piece, which is not copied.
async fn collect(mut body: Body, room: &mut Room<'_>) -> Result<Bytes, Refusal> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(unread)?.into_data() else {
            continue;
        };
        let bytes = first.len().max(all.len()) + piece.len();
        if bytes > limits::BODY_BYTES {
            return Err(too_large());
        }
        room.cover(bytes)?;
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn unread(error: axum::Error) -> Refusal {
    let detail = format!("the body could not be read: {error}");
    Problem::new("malformed", 400, detail).into()
}

/// The room that a body takes while it is read and parsed.
struct Room<'a> {
    of: &'a Semaphore,
    held: Option<SemaphorePermit<'a>>,
    bytes: usize,
}

impl Room<'_> {
    /// Takes room for `bytes` altogether.
    fn cover(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let more = (bytes - self.bytes).next_multiple_of(limits::BODY_STEP_BYTES);
        let kib = u32::try_from(more / 1024).unwrap_or(u32::MAX);
        let permit = self.of.try_acquire_many(kib).map_err(|_| {
            let detail = "too many large requests are being read: send this one again later";
            Problem::new("overloaded", 429, detail).retry_after(limits::RETRY_AFTER_MS)
        })?;
        match &mut self.held {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        self.bytes += more;
        Ok(())
    }
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
