//! The one way in which the server answers: JSON.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use russet::wire::{ItemResult, OneOrResults, Problem};
use serde::Serialize;

use super::limits;
use super::refusal::{Failure, Refusal};

/// An answer as JSON, written into one buffer. It ends its line, as answers in a terminal should.
pub(super) struct Json<T>(pub T);

/// An answer as [`Json`] that takes about so many bytes, which get room at once.
pub(super) struct Large<T>(pub T, pub usize);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Large(self.0, limits::REPLY_BYTES).into_response()
    }
}

/// An answer to one request or to many, of which the log is told what the server failed at.
pub(super) struct Each<T>(pub OneOrResults<T>);

impl<T: Serialize> IntoResponse for Each<T> {
    fn into_response(self) -> Response {
        let failure = failure(&self.0);
        let mut response = Json(self.0).into_response();
        if let Some(failure) = failure {
            response.extensions_mut().insert(failure);
        }
        response
    }
}

/// What the server failed at among many items, if at any.
fn failure<T>(answer: &OneOrResults<T>) -> Option<Failure> {
    let OneOrResults::Many(answers) = answer else {
        return None;
    };
    let problems = answers.results.iter().filter_map(|result| match result {
        ItemResult::Error(problem) if problem.status >= 500 => Some(problem),
        _ => None,
    });
    let (all, mut problems) = (answers.results.len(), problems.peekable());
    let first = problems.peek()?.detail.clone();
    let failed = problems.count();
    Some(Failure(format!("{failed} of {all} items: {first}")))
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
