//! The one way in which the server answers: JSON.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use russet::wire::Problem;
use serde::Serialize;

use super::limits;
use super::refusal::Refusal;

/// An answer as JSON, written into one buffer. It ends its line, as answers in a terminal should.
pub(super) struct Json<T>(pub T);

/// An answer as [`Json`] that takes about so many bytes, which get room at once.
pub(super) struct Large<T>(pub T, pub usize);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Large(self.0, limits::REPLY_BYTES).into_response()
    }
}

impl<T: Serialize> IntoResponse for Large<T> {
    fn into_response(self) -> Response {
        let Self(answer, bytes) = self;
        let mut body = Vec::with_capacity(bytes);
        match serde_json::to_writer(&mut body, &answer) {
            Ok(()) => {
                body.push(b'\n');
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => {
                let detail = format!("the answer cannot be written as JSON: {error}");
                Refusal::from(Problem::new("internal", 500, detail)).into_response()
            }
        }
    }
}
