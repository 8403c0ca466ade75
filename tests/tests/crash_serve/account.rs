//! All that is known in the end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::history::{History, Kind, Leased};

/// What the clients saw, and what the server has in the end.
pub struct Account<'a> {
    pub history: &'a History,
    /// All tasks by id.
    pub tasks: &'a BTreeMap<String, Value>,
}

impl Account<'_> {
    pub fn status(&self, task: &str) -> &str {
        self.tasks[task]["status"].as_str().unwrap_or_default()
    }

    pub fn number(&self, task: &str, field: &str) -> u64 {
        self.tasks[task][field].as_u64().unwrap_or_default()
    }

    pub fn label(&self, task: &str) -> &str {
        self.tasks[task]["payload"]["label"]
            .as_str()
            .unwrap_or_default()
    }

    /// The leases of each task, in the order of their attempts.
    pub fn leases(&self) -> BTreeMap<&str, Vec<&Leased>> {
        let mut leases: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for lease in &self.history.leases {
            leases.entry(lease.task.as_str()).or_default().push(lease);
        }
        for attempts in leases.values_mut() {
            attempts.sort_by_key(|lease| lease.attempt);
        }
        leases
    }

    /// Task and attempt of the reports of a kind that the server accepted.
    pub fn accepted(&self, kind: Kind) -> impl Iterator<Item = (&str, u64)> {
        let reports = self.history.reports.iter();
        let accepted = reports.filter(move |report| report.accepted && report.kind == kind);
        accepted.map(|report| (report.task.as_str(), report.attempt))
    }
}
