use super::fields::Map;

/// Why a request, or an entry of a batch, is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Error {
    pub(crate) status: u16,
    /// The service's name for it, without a prefix.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// What the body holds besides.
    pub(crate) more: Map,
}

impl Error {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self::with_status(400, kind, message)
    }

    pub(crate) fn with_status(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            more: Map::new(),
        }
    }

    /// The model does not know what is asked.
    pub(crate) fn unknown(what: impl std::fmt::Display) -> Self {
        Self::new(
            "UnsupportedOperation",
            format!("the model does not know {what}"),
        )
    }
}
