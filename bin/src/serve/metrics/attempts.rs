use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::histogram::Histogram;
use russet_core::{Event, EventKind, Millis, Task, TaskId, Timestamp};
use rustc_hash::FxHashMap;

use super::long_buckets;
use crate::serve::limits;

/// How long tasks wait and run.
#[derive(Debug)]
pub(super) struct Attempts {
    pub waits: Histogram,
    pub runs: Histogram,
    /// When the attempts that run now began; bounded, so that what other nodes end does not
    /// pile up here.
    running: Mutex<FxHashMap<TaskId, Timestamp>>,
}

impl Attempts {
    pub fn new() -> Self {
        Self {
            waits: Histogram::new(long_buckets()),
            runs: Histogram::new(long_buckets()),
            running: Mutex::default(),
        }
    }

    /// A task was leased just now.
    pub fn started(&self, task: &Task) {
        if let (Some(started), Some(ready)) = (task.started_at, task.ready_at) {
            self.waits.observe(seconds(started.since(ready)));
        }
    }

    /// Follows attempts from their lease to their end.
    pub fn follow(&self, events: &[Event]) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            match event.kind {
                EventKind::Leased => {
                    if running.len() >= limits::MEASURED_ATTEMPTS {
                        // Most of these are ended by other nodes: measure anew.
                        running.clear();
                    }
                    running.insert(event.task, event.at);
                }
                EventKind::Succeeded
                | EventKind::Failed
                | EventKind::Expired
                | EventKind::Released
                | EventKind::Cancelled => {
                    if let Some(started) = running.remove(&event.task) {
                        self.runs.observe(seconds(event.at.since(started)));
                    }
                }
                _ => {}
            }
        }
    }
}

fn seconds(duration: Millis) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}
