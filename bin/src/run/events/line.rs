use std::borrow::Cow;

use russet_core::{ErrorKind, Event, EventKind};
use serde::{Deserialize, Serialize};

/// One line of the file, as JSON.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub at_ms: u64,
    /// The task's name in the file.
    #[serde(borrow)]
    pub task: Cow<'a, str>,
    pub event: EventKind,
    pub attempt: u64,
    pub reason: Option<ErrorKind>,
}

impl<'a> Line<'a> {
    pub fn of(event: &Event, task: &'a str) -> Self {
        Self {
            at_ms: event.at.as_millis(),
            task: Cow::Borrowed(task),
            event: event.kind,
            attempt: event.attempt,
            reason: event.reason,
        }
    }

    /// Whether a line that was cut off after `bytes` may have been one of these.
    pub fn may_begin(bytes: &[u8]) -> bool {
        const BEGINNING: &[u8] = br#"{"at_ms":"#;
        bytes.starts_with(BEGINNING) || BEGINNING.starts_with(bytes)
    }

    pub fn write(&self, to: &mut Vec<u8>) {
        serde_json::to_writer(&mut *to, self).expect("texts and numbers become JSON");
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_looks_as_documented_and_reads_back() {
        let line = Line {
            at_ms: 1_700_000_000_123,
            task: "a \"b\"/ü".into(),
            event: EventKind::DeadLettered,
            attempt: 4,
            reason: Some(ErrorKind::TimedOut),
        };
        let mut bytes = Vec::new();
        line.write(&mut bytes);
        let text = r#"{"at_ms":1700000000123,"task":"a \"b\"/ü","event":"dead_lettered","attempt":4,"reason":"timed_out"}"#;
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{text}\n"));
        assert_eq!(serde_json::from_str::<Line<'_>>(text).expect("reads"), line);
    }
}
