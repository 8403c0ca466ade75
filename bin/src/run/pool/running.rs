use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use russet_core::{Extend, LeaseId, Task, TaskId};
use tokio::sync::watch;

/// What an attempt is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Go,
    /// Its time is over: stop, the scheduler knows.
    Revoked,
    /// The run is being stopped: stop, and give the task back.
    GiveBack,
}

/// The attempts that are running here.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<BTreeMap<(TaskId, u64), Held>>);

#[derive(Debug)]
struct Held {
    lease: LeaseId,
    orders: watch::Sender<Order>,
}

/// What an attempt hears. It counts as running while this is there.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    running: &'a Running,
    attempt: (TaskId, u64),
    orders: watch::Receiver<Order>,
}

impl Running {
    /// Enters an attempt.
    pub fn enter(&self, task: &Task, lease: LeaseId) -> Orders<'_> {
        let (sender, orders) = watch::channel(Order::Go);
        let attempt = (task.id, task.attempt);
        let held = Held {
            lease,
            orders: sender,
        };
        self.lock().insert(attempt, held);
        Orders {
            running: self,
            attempt,
            orders,
        }
    }

    /// Tells an attempt that its time is over.
    pub fn revoke(&self, task: TaskId, attempt: u64) {
        if let Some(held) = self.lock().get(&(task, attempt)) {
            held.orders.send_replace(Order::Revoked);
        }
    }

    /// Tells all attempts to stop and to give their tasks back.
    pub fn give_back_all(&self) {
        for held in self.lock().values() {
            held.orders.send_if_modified(|order| {
                let goes = *order == Order::Go;
                if goes {
                    *order = Order::GiveBack;
                }
                goes
            });
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// A heartbeat of each.
    pub fn heartbeats(&self) -> Vec<Extend> {
        let running = self.lock();
        let extend = |(attempt, held): (&(TaskId, u64), &Held)| Extend {
            task: attempt.0,
            lease: held.lease,
            duration: None,
            progress: None,
        };
        running.iter().map(extend).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(TaskId, u64), Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders<'_> {
    /// Waits for the order to stop.
    pub async fn stopped(&mut self) -> Order {
        // The sender lives as long as the attempt is entered.
        let order = self.orders.wait_for(|order| *order != Order::Go).await;
        order.map_or(Order::GiveBack, |order| *order)
    }
}

impl Drop for Orders<'_> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.attempt);
    }
}
