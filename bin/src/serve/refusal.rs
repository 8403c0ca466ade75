//! The one way in which the server refuses: a [`Problem`].

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use russet::wire::Problem;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as Documented, ResponseBuilder};

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Problem);

/// Why the server could not do it, or some of it, beside its answer, for its log.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub String);

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem is texts and numbers: it always serialises.
        let mut body = serde_json::to_vec(&problem).unwrap_or_default();
        body.push(b'\n');
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
        if let Some(ms) = problem.retry_after_ms {
            headers.insert(RETRY_AFTER, ms.div_ceil(1_000).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status.is_server_error() {
            response
                .extensions_mut()
                .insert(Failure(problem.detail.clone()));
        }
        response
    }
}

/// Every operation may refuse.
impl utoipa::IntoResponses for Refusal {
    fn responses() -> BTreeMap<String, RefOr<Documented>> {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
        let refused = ResponseBuilder::new()
            .description("Why not: problem details (RFC 9457)")
            .content(Problem::MEDIA_TYPE, problem.build());
        [("default".to_owned(), refused.build().into())].into()
    }
}
