use core::fmt;

use serde::{Deserialize, Serialize};

/// How a task ended, to those that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Dead,
    /// It was cancelled: somebody asked for it, or something that it depended on failed.
    Cancelled,
    /// It was cancelled because it was there for a failure that did not happen.
    NotNeeded,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::NotNeeded => "not needed",
        })
    }
}
