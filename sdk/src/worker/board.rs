//! The leases that a worker holds, one entry from the grant to the acknowledged report, and the
//! room that tasks take.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::{LeaseId, ResourceName, TaskId};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::limits;
use crate::wire::{ExtendLease, ProgressReport};

pub(super) type Amounts = BTreeMap<ResourceName, u64>;

/// What a holder knows of its lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseState {
    /// The lease is valid until then, as far as the server has said.
    pub valid_until: Instant,
    /// Somebody wants the task cancelled.
    pub cancel_requested: bool,
    /// The lease is no longer the task's current one.
    pub lost: bool,
}

/// How much a worker has in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Tasks that take room.
    pub placed: usize,
    /// Leases whose handler runs.
    pub running: usize,
    /// All leases, until their end is reported.
    pub held: usize,
}

/// What a report of progress became: kept, or refused for this reason.
pub(super) type Kept = Result<(), String>;

pub(super) struct Board {
    leases: Mutex<Leases>,
    /// The counts have changed.
    changed: Notify,
    /// A heartbeat is due earlier than it was.
    pub hurry: Notify,
}

#[derive(Default)]
struct Leases {
    by_id: BTreeMap<LeaseId, Held>,
    running: usize,
    placed: usize,
    used: Amounts,
    /// What heartbeats are waited with.
    awaited: Option<Instant>,
}

impl Leases {
    fn counts(&self) -> Counts {
        Counts {
            placed: self.placed,
            running: self.running,
            held: self.by_id.len(),
        }
    }
}

struct Held {
    task: TaskId,
    running: bool,
    /// How long the lease lasts after a heartbeat.
    term: Duration,
    next_beat: Instant,
    /// A heartbeat of it is under way.
    beating: bool,
    news: Option<ProgressReport>,
    waiting: Vec<oneshot::Sender<Kept>>,
    state: watch::Sender<LeaseState>,
}

impl Held {
    fn interval(&self) -> Duration {
        self.term / limits::BEATS_PER_LEASE
    }

    /// Whether a heartbeat may be sent: a lease is in one call at a time.
    fn may_beat(&self) -> bool {
        !self.beating && !self.state.borrow().lost
    }
}

/// A heartbeat to be sent.
pub(super) struct Beat {
    pub extend: ExtendLease,
    /// The time between two heartbeats of the lease.
    pub interval: Duration,
    pub waiting: Vec<oneshot::Sender<Kept>>,
}

impl Board {
    pub fn new() -> Self {
        Self {
            leases: Mutex::default(),
            changed: Notify::new(),
            hurry: Notify::new(),
        }
    }

    pub fn counts(&self) -> Counts {
        self.lock().counts()
    }

    /// Waits until the counts are so.
    pub async fn until(&self, so: impl Fn(Counts) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // A change between the look and the wait is not missed.
            changed.as_mut().enable();
            if so(self.counts()) {
                return;
            }
            changed.await;
        }
    }

    /// A task takes room, with these resources.
    pub fn enter(&self, needs: &Amounts) {
        self.change(|all| {
            all.placed += 1;
            for (name, amount) in needs {
                let used = all.used.entry(name.clone()).or_default();
                *used = used.saturating_add(*amount);
            }
        });
    }

    /// The room is free again.
    pub fn leave(&self, needs: &Amounts) {
        self.change(|all| {
            all.placed -= 1;
            for (name, amount) in needs {
                let used = all.used.entry(name.clone()).or_default();
                *used = used.saturating_sub(*amount);
            }
        });
    }

    /// Takes a lease that was granted just before `now` and lasts for `term`.
    pub fn take(
        &self,
        task: TaskId,
        lease: LeaseId,
        term: Duration,
        now: Instant,
    ) -> watch::Receiver<LeaseState> {
        let state = watch::Sender::new(LeaseState {
            valid_until: now + term,
            cancel_requested: false,
            lost: false,
        });
        let receiver = state.subscribe();
        let next_beat = now + term / limits::BEATS_PER_LEASE;
        let held = Held {
            task,
            running: true,
            term,
            next_beat,
            beating: false,
            news: None,
            waiting: Vec::new(),
            state,
        };
        let hurry = self.change(|all| {
            all.running += 1;
            all.by_id.insert(lease, held);
            all.awaited.is_none_or(|awaited| next_beat < awaited)
        });
        if hurry {
            self.hurry.notify_one();
        }
        receiver
    }

    /// The resources that tasks take.
    pub fn used(&self) -> Amounts {
        self.lock().used.clone()
    }

    /// The handler has ended; returns what was said about progress and not yet sent.
    pub fn finished(&self, lease: LeaseId) -> Option<ProgressReport> {
        self.change(|all| {
            let held = all.by_id.get_mut(&lease)?;
            all.running -= usize::from(std::mem::take(&mut held.running));
            held.news.take()
        })
    }

    /// The lease is over: reported, or lost.
    pub fn forget(&self, lease: LeaseId) {
        self.change(|all| {
            let held = all.by_id.remove(&lease);
            all.running -= usize::from(held.is_some_and(|held| held.running));
        });
    }

    /// Until when the lease is valid; `None` when it is over.
    pub fn valid_until(&self, lease: LeaseId) -> Option<Instant> {
        let all = self.lock();
        let state = *all.by_id.get(&lease)?.state.borrow();
        (!state.lost).then_some(state.valid_until)
    }

    /// Keeps news for the next heartbeat; with somebody waiting, that is at once.
    pub fn report(
        &self,
        lease: LeaseId,
        news: ProgressReport,
        waiting: Option<oneshot::Sender<Kept>>,
    ) {
        let mut all = self.lock();
        let Some(held) = all.by_id.get_mut(&lease) else {
            return;
        };
        merge(&mut held.news, news);
        if let Some(waiting) = waiting {
            held.waiting.push(waiting);
            held.next_beat = Instant::now();
            self.hurry.notify_one();
        }
    }

    /// When the next heartbeat is due.
    pub fn next_beat(&self) -> Option<Instant> {
        let mut all = self.lock();
        let live = all.by_id.values().filter(|held| held.may_beat());
        all.awaited = live.map(|held| held.next_beat).min();
        all.awaited
    }

    /// The heartbeats that are due, with those that will be soon.
    pub fn due(&self, now: Instant, extend_by: Option<Duration>) -> Vec<Beat> {
        let mut beats = Vec::new();
        for (lease, held) in &mut self.lock().by_id {
            let interval = held.interval();
            let soon = now + interval / limits::BEAT_SLACK;
            if !held.may_beat() || held.next_beat > soon {
                continue;
            }
            held.next_beat = now + interval;
            held.beating = true;
            beats.push(Beat {
                extend: ExtendLease {
                    task: held.task,
                    lease_id: *lease,
                    visibility_timeout_ms: extend_by.map(|d| d.as_millis() as u64),
                    progress: held.news.take(),
                },
                interval,
                waiting: std::mem::take(&mut held.waiting),
            });
        }
        beats
    }

    /// The call with heartbeats of these leases is over, whatever became of it.
    pub fn answered(&self, leases: impl Iterator<Item = LeaseId>) {
        let mut all = self.lock();
        for lease in leases {
            if let Some(held) = all.by_id.get_mut(&lease) {
                held.beating = false;
            }
        }
    }

    /// A heartbeat that was sent at `sent` was accepted.
    pub fn extended(&self, lease: LeaseId, sent: Instant, cancel_requested: bool) {
        let mut all = self.lock();
        let Some(held) = all.by_id.get_mut(&lease) else {
            return;
        };
        let valid_until = sent + held.term;
        held.state.send_modify(|state| {
            state.valid_until = valid_until;
            state.cancel_requested |= cancel_requested;
        });
    }

    /// A heartbeat was not answered: it is sent again at `at`, with its news.
    pub fn again(&self, beat: Beat, at: Instant) {
        let mut all = self.lock();
        let Some(held) = all.by_id.get_mut(&beat.extend.lease_id) else {
            return;
        };
        if let Some(older) = beat.extend.progress {
            let newer = held.news.replace(older);
            if let Some(newer) = newer {
                merge(&mut held.news, newer);
            }
        }
        held.waiting.extend(beat.waiting);
        held.next_beat = held.next_beat.min(at);
    }

    /// The lease is no longer the task's current one; says whether its handler still runs. When
    /// it does not, the end of the attempt may have been accepted before, and its report says
    /// what became of it.
    pub fn lost(&self, lease: LeaseId) -> bool {
        let all = self.lock();
        let Some(held) = all.by_id.get(&lease).filter(|held| held.running) else {
            return false;
        };
        held.state.send_modify(|state| state.lost = true);
        true
    }

    fn change<T>(&self, change: impl FnOnce(&mut Leases) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_waiters();
        value
    }

    fn lock(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds newer news to older.
fn merge(kept: &mut Option<ProgressReport>, newer: ProgressReport) {
    let kept = kept.get_or_insert_default();
    kept.percent = newer.percent.or(kept.percent);
    kept.message = newer.message.or(kept.message.take());
    kept.checkpoint = newer.checkpoint.or(kept.checkpoint.take());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> (Board, LeaseId, watch::Receiver<LeaseState>) {
        let (board, task, lease) = (Board::new(), TaskId::from_u128(1), LeaseId::from_u128(2));
        let state = board.take(task, lease, Duration::from_secs(30), Instant::now());
        (board, lease, state)
    }

    #[test]
    fn a_lease_is_lost_while_its_handler_runs_and_not_after_its_end() {
        let (board, lease, state) = held();
        assert!(board.lost(lease) && state.borrow().lost);
        let (board, lease, _state) = held();
        board.finished(lease);
        assert!(!board.lost(lease));
        assert!(
            board.valid_until(lease).is_some(),
            "its end is still reported"
        );
        board.forget(lease);
        assert!(!board.lost(lease));
    }
}
