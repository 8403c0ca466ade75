//! Names that users choose, checked once and then carried as their own types.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;

use crate::limits;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {rule}")]
pub struct NameError {
    /// What the name would have been for.
    pub what: &'static str,
    /// The refused text, shortened.
    pub text: String,
    /// What a name of this kind looks like.
    pub rule: &'static str,
}

fn check(
    what: &'static str,
    text: &str,
    rule: &'static str,
    ok: fn(&str) -> bool,
) -> Result<SmolStr, NameError> {
    if ok(text) {
        return Ok(SmolStr::new(text));
    }
    let text = text.chars().take(60).collect();
    Err(NameError { what, text, rule })
}

fn is_name(text: &str) -> bool {
    (1..=limits::NAME_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

fn is_key(text: &str) -> bool {
    (1..=limits::KEY_LEN).contains(&text.len()) && !text.chars().any(char::is_control)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $ok:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks `text` and keeps it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
                check($what, text.as_ref(), $rule, $ok).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = SmolStr::deserialize(deserializer)?;
                if $ok(&text) {
                    return Ok(Self(text));
                }
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A queue's name.
    QueueName, "queue name", "use 1 to 128 of A-Z a-z 0-9 . _ : -", is_name
}
name! {
    /// What kind of work a task is; workers choose the handler by it.
    TaskType, "task type", "use 1 to 128 of A-Z a-z 0-9 . _ : -", is_name
}
name! {
    /// A resource that tasks need and workers have, such as `cpu` or `memory_mb`.
    ResourceName, "resource name", "use 1 to 128 of A-Z a-z 0-9 . _ : -", is_name
}
name! {
    /// A client's own identity for a submission.
    IdempotencyKey, "idempotency key", "use 1 to 256 bytes without control characters", is_key
}
name! {
    /// A text that chooses a partition: tasks with equal keys share one.
    PartitionKey, "partition key", "use 1 to 256 bytes without control characters", is_key
}
name! {
    /// What a user calls a task inside its workflow; errors name it.
    Label, "task label", "use 1 to 256 bytes without control characters", is_key
}
