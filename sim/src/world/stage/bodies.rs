use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madsim::runtime::Handle;
use madsim::task::NodeId;
use tokio::sync::mpsc;

use crate::history::Actor;

/// The processes that run, by actor; and where deaths are told.
#[derive(Clone)]
pub(super) struct Bodies {
    alive: Arc<Mutex<BTreeMap<Actor, NodeId>>>,
    deaths: mpsc::UnboundedSender<Actor>,
}

impl Bodies {
    /// Nobody runs yet.
    pub fn new(deaths: mpsc::UnboundedSender<Actor>) -> Self {
        Self {
            alive: Arc::default(),
            deaths,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<Actor, NodeId>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills a process, wherever it awaits.
    pub fn kill(&self, actor: Actor) {
        if let Some(node) = self.lock().remove(&actor) {
            Handle::current().kill(node);
            // When the world has ended, nobody is started again.
            let _ = self.deaths.send(actor);
        }
    }
}
