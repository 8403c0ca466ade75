//! What the clients saw. The promises are checked against this, and against what the server
//! has in the end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::Span;

#[derive(Default)]
pub struct History {
    /// All that anybody ever wanted to submit, by label.
    pub intents: BTreeMap<String, Intent>,
    /// Submissions that the server acknowledged: label and id, one for each acknowledgement.
    pub acknowledged: Vec<(String, String)>,
    /// Leases that reached a worker.
    pub leases: Vec<Leased>,
    /// What workers reported, and what the server said to it.
    pub reports: Vec<Report>,
    /// Ends that the server told: task and status.
    pub ends: Vec<(String, String)>,
}

/// A task that somebody wanted to submit.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    pub key: Option<String>,
    /// The request, if it was for this task alone.
    pub body: Value,
    pub max_retries: u64,
    /// It is submitted by the completion of this attempt of this task.
    pub follows: Option<(String, u64)>,
    /// The labels of the tasks that it waits for.
    pub parents: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Leased {
    pub task: String,
    pub label: String,
    pub queue: String,
    pub attempt: u64,
    pub lease: String,
    pub started_at: String,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Extend,
    Complete,
    Fail,
    Release,
}

impl Kind {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Extend => "/v1/leases/extend",
            Self::Complete => "/v1/leases/complete",
            Self::Fail => "/v1/leases/fail",
            Self::Release => "/v1/leases/release",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Report {
    pub kind: Kind,
    pub task: String,
    pub attempt: u64,
    pub span: Span,
    pub accepted: bool,
    /// The code of the refusal.
    pub code: String,
    /// The lease was known to be over before.
    pub late: bool,
    /// The task was dead then.
    pub dead: bool,
    /// Before when the next attempt may not start.
    pub not_before: Option<String>,
}

impl History {
    /// How many tasks anybody wanted to submit, without follow-ups.
    pub fn wanted(&self) -> u64 {
        self.intents
            .values()
            .filter(|intent| intent.follows.is_none())
            .count() as u64
    }
}
