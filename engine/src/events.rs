//! One account of what happened, for everybody who wants to know.

use std::sync::Arc;

use russet_core::Event;
use tokio::sync::broadcast;

use crate::limits;

/// Sees every event that this node commits, on the commit path: it must not block.
pub trait Observer: Send + Sync + 'static {
    /// Events of one commit, in order.
    fn observe(&self, events: &[Event]);
}

/// Events that this node commits, from the subscription on. A reader that falls behind by
/// more than [`limits::EVENT_BATCHES`] commits loses the oldest.
pub struct EventStream(broadcast::Receiver<Arc<[Event]>>);

impl EventStream {
    /// The next events; `Err` with the number of commits that were missed; `None` when the
    /// scheduler has stopped.
    pub async fn next(&mut self) -> Option<Result<Arc<[Event]>, u64>> {
        match self.0.recv().await {
            Ok(events) => Some(Ok(events)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

pub(crate) struct Events {
    observers: Vec<Arc<dyn Observer>>,
    stream: broadcast::Sender<Arc<[Event]>>,
}

impl Events {
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        let (stream, _) = broadcast::channel(limits::EVENT_BATCHES);
        Self { observers, stream }
    }

    pub fn subscribe(&self) -> EventStream {
        EventStream(self.stream.subscribe())
    }

    pub fn publish(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        for observer in &self.observers {
            observer.observe(&events);
        }
        if self.stream.receiver_count() > 0 {
            // Without a reader there is nobody to tell.
            let _ = self.stream.send(events.into());
        }
    }
}
