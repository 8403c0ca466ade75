//! What every request passes: who may come in, what is measured, and what becomes of a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use russet::wire::Problem;
use tracing::Instrument;

use super::App;
use super::refusal::{Failure, Refusal};

/// What a browser says about who made it send the request.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The label of requests that no route takes.
const NO_ROUTE: &str = "none";

/// Lets a request pass, and measures it.
pub(super) async fn pass(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route: Arc<str> = route.map_or(NO_ROUTE, MatchedPath::as_str).into();
    let span = tracing::debug_span!("request", method, path = request.uri().path());
    let response = match admit(&app, &request, &route) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            let running = AssertUnwindSafe(next.run(request)).catch_unwind();
            let done = running.instrument(span.clone()).await;
            done.unwrap_or_else(|_| panicked().into_response())
        }
    };
    let (status, took) = (response.status().as_u16(), start.elapsed());
    let why = response.extensions().get::<Failure>();
    let why = why.map_or("", |Failure(why)| why);
    if status >= 500 || !why.is_empty() {
        span.in_scope(|| app.failures.tell(status, &route, why));
    } else {
        span.in_scope(|| tracing::debug!(status, took = ?took, "answered"));
    }
    app.metrics.requests.count(method, route, status, took);
    response
}

fn admit(app: &App, request: &Request, route: &str) -> Result<(), Refusal> {
    if matches!(route, "/healthz" | "/readyz") {
        return Ok(());
    }
    let headers = request.headers();
    if !app.tokens.admit(headers) {
        let detail = match headers.contains_key(AUTHORIZATION) {
            false => {
                "this server wants a token: send `Authorization: Bearer TOKEN` \
                (russet: --token or RUSSET_TOKEN) with one of its RUSSET_TOKENS"
            }
            true => {
                "the token is wrong: send `Authorization: Bearer TOKEN` (russet: --token or \
                RUSSET_TOKEN) with one that this server was started with"
            }
        };
        return Err(Problem::new("unauthorized", 401, detail).into());
    }
    if app.tokens.is_empty() && !is_plain_host(headers) {
        let detail = "the Host header names a domain, and this server has no tokens: \
            use http://127.0.0.1 or http://localhost, or configure tokens";
        return Err(Problem::new("forbidden", 403, detail).into());
    }
    if !request.method().is_safe() && is_cross_site(headers) {
        let detail = "a browser sent this for another site: send it from the same origin";
        return Err(Problem::new("forbidden", 403, detail).into());
    }
    Ok(())
}

/// A server without tokens is reached by an address or as localhost: any other name may be a
/// web page's domain that was made to point here.
fn is_plain_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let host = host.to_str().unwrap_or_default();
    if host.starts_with('[') {
        return true;
    }
    let name = host.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether another site's page makes a browser send this.
fn is_cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(&FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|o| o.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.map(|(_, host)| host) != host
}

fn panicked() -> Refusal {
    let detail = "the server failed at this request; its log says where";
    Problem::new("internal", 500, detail).into()
}

/// A label for the method: any text may be a method.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let parsed = |(name, value): &(HeaderName, &str)| {
            (name.clone(), value.parse().expect("a header value"))
        };
        pairs.iter().map(parsed).collect()
    }

    #[test]
    fn a_page_of_another_site_is_told_from_our_own() {
        let cross = |pairs: &[(HeaderName, &str)]| is_cross_site(&headers(pairs));
        assert!(!cross(&[]));
        assert!(cross(&[(FETCH_SITE, "cross-site")]));
        assert!(!cross(&[(FETCH_SITE, "same-origin")]));
        let host = (HOST, "localhost:7718");
        assert!(!cross(&[(ORIGIN, "http://localhost:7718"), host.clone()]));
        assert!(cross(&[(ORIGIN, "https://evil.example"), host.clone()]));
        assert!(cross(&[(ORIGIN, "null"), host]));
    }

    #[test]
    fn a_host_with_a_domain_is_not_plain() {
        let plain = |host| is_plain_host(&headers(&[(HOST, host)]));
        assert!(plain("127.0.0.1:7718") && plain("localhost") && plain("[::1]:80"));
        assert!(!plain("evil.example:7718") && !plain("127.0.0.1.evil.example"));
    }
}
