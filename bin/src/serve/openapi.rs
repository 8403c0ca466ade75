//! The OpenAPI document, made from the handlers and the wire types.

mod nullable;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use russet::wire::{MissedReason, MissedView};
use serde_json::Value;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, License, OpenApi, OpenApiBuilder, SecurityRequirement, Server,
};
use utoipa::{PartialSchema, ToSchema};

use super::refusal::Refusal;
use super::routes;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// The document.
pub fn document() -> Value {
    let (_, document) = routes::documented().split_for_parts();
    // A document is made of texts: it always serialises.
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    let_null_be_anything(&mut document);
    nullable::leave_out(&mut document);
    tidy_texts(&mut document);
    document
}

/// Comments become texts of one line, without the links that only Rust's documentation follows.
fn tidy_texts(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy_texts),
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) if matches!(key.as_str(), "summary" | "description") => {
                        *text = tidy(text);
                    }
                    other => tidy_texts(other),
                }
            }
        }
        _ => {}
    }
}

/// `[`Type::field`]` becomes `field` of `Type`.
fn tidy(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, linked)) = rest.split_once("[`") {
        let Some((name, after)) = linked.split_once("`]") else {
            break;
        };
        out.push_str(before);
        match name.split_once("::") {
            Some((kind, field)) => out.push_str(&format!("`{field}` of `{kind}`")),
            None => out.push_str(&format!("`{name}`")),
        }
        rest = after;
    }
    out + rest
}

/// A nullable schema is "null or else this", and any JSON may be null too: whatever fits both
/// must not be refused for that.
fn let_null_be_anything(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(let_null_be_anything),
        Value::Object(entries) => {
            entries.values_mut().for_each(let_null_be_anything);
            let is_null = |schema: &Value| schema["type"] == "null";
            let choices = entries.get("oneOf").and_then(Value::as_array);
            if choices.is_some_and(|choices| choices.iter().any(is_null))
                && let Some(choices) = entries.remove("oneOf")
            {
                entries.insert("anyOf".to_owned(), choices);
            }
        }
        _ => {}
    }
}

/// What the document says beside the routes.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Russet")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A durable task queue, scheduler and worker pool. Refusals are problem details \
             (RFC 9457); times are RFC 3339 in UTC, durations milliseconds.",
        ))
        .license(Some(License::new("MIT OR Apache-2.0")))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut components = Components::new();
    components.add_security_scheme("token", bearer);
    // No answer as a whole: it comes within a stream.
    for (name, schema) in [
        (MissedView::name(), MissedView::schema()),
        (MissedReason::name(), MissedReason::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::default(),
        ]))
        .build()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "info",
    responses((status = 200, description = "The OpenAPI document", body = Value), Refusal))]
pub(super) async fn serve() -> ([(axum::http::HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}
