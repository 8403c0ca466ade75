//! Which tasks the queue hides, as the history tells it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::TaskId;
use russet_engine::{Delivery, Receipt};

use super::time::now;
use crate::history::{At, Journal, What};

/// The deliveries that were made. Clones are the same.
#[derive(Clone)]
pub struct Deliveries {
    journal: Journal,
    /// The task of each delivery that is its newest: what is older settles nothing.
    tasks: Arc<Mutex<Newest>>,
}

#[derive(Default)]
struct Newest {
    by_receipt: BTreeMap<Vec<u8>, TaskId>,
    by_task: BTreeMap<TaskId, Vec<u8>>,
}

impl Deliveries {
    /// None yet; they are told to `journal`.
    pub fn new(journal: Journal) -> Self {
        let tasks = Arc::default();
        Self { journal, tasks }
    }

    /// These were made just now, and are hidden for a while.
    pub fn made(&self, deliveries: &[Delivery], hidden: Duration) {
        let mut tasks = self.lock();
        for Delivery { task, receipt, .. } in deliveries {
            if let Some(old) = tasks.by_task.insert(*task, receipt.0.clone()) {
                tasks.by_receipt.remove(&old);
            }
            tasks.by_receipt.insert(receipt.0.clone(), *task);
        }
        if !deliveries.is_empty() {
            let tasks = deliveries.iter().map(|delivery| delivery.task);
            self.tell(tasks.collect(), hidden, true);
        }
    }

    /// These were given back, to be seen after a while.
    pub fn given_back(&self, receipts: &[Receipt], delay: Duration) {
        let known = self.lock();
        let tasks = receipts
            .iter()
            .filter_map(|receipt| known.by_receipt.get(&receipt.0));
        self.tell(tasks.copied().collect(), delay, false);
    }

    fn tell(&self, tasks: Vec<TaskId>, hidden: Duration, delivered: bool) {
        let at = now();
        let until = At(at.0 + hidden.as_micros() as u64);
        let hidden = What::Hidden {
            tasks,
            until,
            delivered,
        };
        self.journal.write(at, hidden);
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
