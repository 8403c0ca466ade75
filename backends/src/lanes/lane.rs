use std::collections::BTreeSet;
use std::sync::Arc;

use russet_core::{Lane, Timestamp};

use crate::index::keys::Place;
use crate::index::sorted::Sorted;

/// One lane.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) lane: Arc<Lane>,
    /// What can be received.
    pub(crate) ready: Sorted<Place>,
    /// What was received and is not settled, and until when it is hidden.
    pub(crate) hidden: BTreeSet<(Timestamp, Place)>,
    /// Tickets of the receivers that wait for this lane, and of some that no longer do.
    pub(crate) tickets: BTreeSet<u64>,
    /// How many tasks arrived since receivers were woken last.
    pub(crate) fresh: usize,
    /// It is among the known lanes of its queue.
    pub(crate) known: bool,
}

impl LaneState {
    pub(crate) fn new(lane: Arc<Lane>) -> Self {
        Self {
            lane,
            ready: Sorted::default(),
            hidden: BTreeSet::new(),
            tickets: BTreeSet::new(),
            fresh: 0,
            known: false,
        }
    }

    pub(crate) fn holds_tasks(&self) -> bool {
        !self.ready.is_empty() || !self.hidden.is_empty()
    }

    /// Whether nothing would be lost if the lane were forgotten.
    pub(crate) fn is_idle(&self) -> bool {
        !self.holds_tasks() && self.tickets.is_empty()
    }
}
