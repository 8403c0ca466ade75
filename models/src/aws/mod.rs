//! What the models of AWS's services share: how they are asked, and how they answer.
//!
//! They speak JSON as the services do: `X-Amz-Target` says what is asked, the body holds its
//! parameters. What a model does not know, be it an operation, a parameter or an expression, is
//! refused with `UnsupportedOperation`, which no service answers here; nothing is ignored.

mod error;
mod fields;

pub(crate) use self::error::Error;
pub(crate) use self::fields::{Fields, Json, Map};

/// What a service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// The body, in JSON.
    pub body: Vec<u8>,
}

impl Reply {
    pub(crate) fn done(body: Json) -> Self {
        Self::new(200, &body)
    }

    pub(crate) fn new(status: u16, body: &Json) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/x-amz-json-1.0".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }
}

/// What becomes of a whole request, other than what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service has no capacity for it, and says so by its own name for that. Nothing is done.
    Throttled,
    /// The account may not ask so often: `ThrottlingException`. Nothing is done.
    Limited,
    /// The service cannot be used now (503). Nothing is done.
    Unavailable,
    /// The service fails (500).
    Internal {
        /// Whether what was asked is done all the same.
        applied: bool,
    },
    /// The caller may not do that. Nothing is done.
    Denied,
}
