//! Ready tasks in lanes, in memory: a queue by itself ([`crate::memory::MemoryQueue`]), and
//! the delivering half of the stores that are their own queue.

mod fused;
mod lane;
mod receipt;
mod registry;
mod state;
mod waiters;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::{Lane, QueueName, TaskId, Timestamp};
use russet_engine::{Clock, Delivery, Depth, Message, Receipt};
use tokio::sync::{Notify, watch};

pub(crate) use self::fused::fused_queue;
use self::state::State;
use crate::index::Moved;
use crate::limits::RECEIVE_RECHECK;

/// All lanes of a store or a queue, over all partitions.
pub(crate) struct Lanes {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    epoch: watch::Sender<u64>,
}

/// Receivers to be woken once the lock is given back.
pub(crate) type Wakes = Vec<Arc<Notify>>;

impl Lanes {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            epoch: watch::Sender::new(0),
        }
    }

    /// Applies what commits changed among the ready tasks, all at once.
    pub(crate) fn apply(&self, moves: Vec<Moved>) {
        if moves.is_empty() {
            return;
        }
        self.change(|state| {
            for moved in moves {
                if let Some(before) = moved.before {
                    state.withdraw(&before.lane, before.score, before.task);
                }
                if let Some(after) = moved.after {
                    state.announce(&after.lane, after.score, after.task);
                }
            }
        });
    }

    pub(crate) fn send(&self, messages: Vec<Message>) {
        self.change(|state| {
            for message in messages {
                state.announce(&message.lane, message.score, message.task);
            }
        });
    }

    pub(crate) async fn receive(
        &self,
        from: &[Lane],
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Vec<Delivery> {
        let mut give_up = after(self.clock.now(), wait);
        if max == 0 {
            return Vec::new();
        }
        let mut waiting = Waiting {
            lanes: self,
            from,
            ticket: None,
        };
        loop {
            let now = self.clock.now();
            // A clock that was set back makes no wait longer.
            give_up = give_up.min(after(now, wait));
            let (taken, retry_at) = waiting.take(max, now, visibility, now < give_up);
            if !taken.is_empty() || now >= give_up {
                return taken;
            }
            let recheck = after(now, RECEIVE_RECHECK);
            let until = retry_at.map_or(recheck, |at| at.min(recheck)).min(give_up);
            let sleep = self.clock.sleep(until.since(now).into());
            match waiting.ticket.as_ref().map(|(_, notify)| notify.clone()) {
                Some(notify) => tokio::select! {
                    biased;
                    () = notify.notified() => {}
                    () = sleep => {}
                },
                None => sleep.await,
            }
        }
    }

    /// Settles deliveries.
    pub(crate) fn delete(&self, receipts: &[Receipt]) {
        self.change(|state| {
            for receipt in receipts {
                state.delete(receipt);
            }
        });
    }

    /// Gives deliveries back.
    pub(crate) fn release(&self, receipts: &[Receipt], delay: Duration) {
        let now = self.clock.now();
        let until = (!delay.is_zero()).then(|| after(now, delay));
        self.change(|state| {
            for receipt in receipts {
                state.release(receipt, until);
            }
        });
    }

    pub(crate) fn of_queue(&self, queue: &QueueName) -> Vec<Lane> {
        self.lock().of_queue(queue)
    }

    pub(crate) fn epoch(&self) -> u64 {
        *self.epoch.borrow()
    }

    pub(crate) async fn changed(&self, known: u64) {
        let mut epoch = self.epoch.subscribe();
        // The sender lives as long as `self`: waiting for it cannot fail.
        let _ = epoch.wait_for(|epoch| *epoch > known).await;
    }

    pub(crate) fn depth(&self, lane: &Lane) -> Depth {
        let now = self.clock.now();
        let mut depth = Depth::default();
        self.change(|state| depth = state.depth(lane, now));
        depth
    }

    /// The first ready task of each lane, delivered ones included.
    pub(crate) fn oldest(&self) -> Vec<(QueueName, TaskId)> {
        self.lock().oldest()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes whom the change concerns and tells of new lanes.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wakes = state.wake_for_fresh();
        let epoch = state.epoch();
        drop(state);
        if epoch > self.epoch() {
            self.epoch.send_if_modified(|known| {
                let newer = epoch > *known;
                *known = epoch.max(*known);
                newer
            });
        }
        for wake in wakes {
            wake.notify_one();
        }
    }
}

/// A receiver. Whenever it goes away, a wake-up that it did not use goes to another.
struct Waiting<'a> {
    lanes: &'a Lanes,
    from: &'a [Lane],
    ticket: Option<(u64, Arc<Notify>)>,
}

impl Waiting<'_> {
    /// Takes deliveries; when there are none and it is to `wait`, queues up for a wake-up.
    /// Also returns when a hidden delivery becomes visible.
    fn take(
        &mut self,
        max: usize,
        now: Timestamp,
        visibility: Duration,
        wait: bool,
    ) -> (Vec<Delivery>, Option<Timestamp>) {
        let mut taken = Vec::new();
        let mut retry_at = None;
        self.lanes.change(|state| {
            if let Some((ticket, _)) = self.ticket.take() {
                state.leave(ticket, self.from);
            }
            taken = state.take(self.from, max, now, after(now, visibility));
            if taken.is_empty() && wait {
                let notify = Arc::new(Notify::new());
                let ticket = state.wait(self.from, max, notify.clone());
                self.ticket = Some((ticket, notify));
                retry_at = state.next_visible(self.from);
            }
        });
        (taken, retry_at)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((ticket, _)) = self.ticket.take() {
            self.lanes.change(|state| {
                if !state.leave(ticket, self.from) {
                    state.pass_on(self.from);
                }
            });
        }
    }
}

/// The point in time `duration` after `start`; parts of a millisecond count as one.
fn after(start: Timestamp, duration: Duration) -> Timestamp {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    start + russet_core::Millis::new(u64::try_from(millis).unwrap_or(u64::MAX))
}
