use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use hyper::Method;
use serde::Serialize;

use crate::Error;

/// What to ask a server.
#[derive(Clone)]
pub(in crate::client) struct Call {
    pub method: Method,
    pub path: Cow<'static, str>,
    /// Whether it does no harm to send it again when its answer was lost.
    pub safe: bool,
    /// How long the server is asked to wait.
    pub wait: Duration,
}

impl Call {
    fn new(method: Method, path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            safe: method == Method::GET,
            method,
            path: path.into(),
            wait: Duration::ZERO,
        }
    }

    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn patch(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub fn delete(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// The call, which does no harm when it is sent again.
    pub fn safe(mut self) -> Self {
        self.safe = true;
        self
    }

    /// The call, which asks the server to wait this long.
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// A flat request as a query, with its `?`; nothing when it has no fields.
pub(in crate::client) fn query<T: Serialize>(request: &T) -> Result<String, Error> {
    let value = serde_json::to_value(request).map_err(|e| Error::json("the query", e))?;
    let mut text = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        text.push(if text.is_empty() { '?' } else { '&' });
        let value = match value.as_str() {
            Some(plain) => encoded(plain),
            None => value.to_string(),
        };
        text.push_str(key);
        text.push('=');
        text.push_str(&value);
    }
    Ok(text)
}

/// A text as it may stand in a path or a query (RFC 3986).
pub(in crate::client) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ListTasks;

    #[test]
    fn a_query_has_the_fields_that_are_there() {
        assert_eq!(query(&ListTasks::default()).ok().as_deref(), Some(""));
        let request = ListTasks {
            queue: Some("a b&c".to_owned()),
            limit: Some(5),
            ..ListTasks::default()
        };
        let text = query(&request).expect("is a query");
        assert_eq!(text, "?limit=5&queue=a%20b%26c");
    }
}
