//! The account of a run: one line for each event, in a file that survives every kill.

mod file;
mod line;
mod missing;

use std::sync::Arc;

use russet_core::{Event, EventKind};
use russet_engine::Observer;
use tokio::sync::mpsc;

pub(super) use file::EventsFile;

/// Sees every event first: writes it to the file, then passes it on.
pub(super) struct Recorder {
    file: Option<Arc<EventsFile>>,
    events: mpsc::UnboundedSender<Vec<Event>>,
}

impl Recorder {
    /// A recorder, and where it passes events on to: as many as there are, since they are
    /// read all the time.
    pub fn new(file: Option<Arc<EventsFile>>) -> (Self, mpsc::UnboundedReceiver<Vec<Event>>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { file, events }, receiver)
    }
}

impl Observer for Recorder {
    fn observe(&self, events: &[Event]) {
        let events = in_order(events);
        if let Some(file) = &self.file {
            file.write(&events);
        }
        // At the end of a run nobody reads any more.
        let _ = self.events.send(events);
    }
}

/// The events of one commit with what was started last: what was leased into the place of
/// another task comes behind the end of that one. No task both ends and starts in one commit.
fn in_order(events: &[Event]) -> Vec<Event> {
    let is_start = |event: &&Event| event.kind == EventKind::Leased;
    let (starts, others): (Vec<_>, Vec<_>) = events.iter().partition(is_start);
    others.into_iter().chain(starts).cloned().collect()
}
