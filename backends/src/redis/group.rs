use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::{Millis, PartitionId, Timestamp};
use russet_engine::{Delivery, QueueError};
use tokio::sync::{Notify, oneshot};

use super::call::CallError;
use super::core::Core;
use super::groups::Kind;
use super::take;
use crate::limits::{REDIS_RECHECK, REDIS_TAKEN};

/// Receivers that wait for the same lanes. While one call is under way, those that come wait
/// and share the next one.
pub(crate) struct Group {
    pub(crate) kind: Kind,
    partitions: u16,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiters: VecDeque<Waiter>,
    /// Somebody takes for the waiters.
    is_served: bool,
    /// Where something may be ready. Of the others it is known that nothing is, until an
    /// arrival is told of or a hidden delivery becomes visible.
    open: BTreeSet<PartitionId>,
    visible: BTreeMap<PartitionId, Timestamp>,
    /// When all partitions are looked at again.
    recheck_at: Timestamp,
}

pub(crate) type Deliveries = Result<Vec<Delivery>, QueueError>;

struct Waiter {
    max: usize,
    wait: Millis,
    give_up: Timestamp,
    reply: oneshot::Sender<Deliveries>,
    /// A call was made since it came.
    looked: bool,
}

impl Group {
    pub(crate) fn new(kind: Kind, partitions: u16) -> Self {
        Self {
            kind,
            partitions,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn is_awaited(&self) -> bool {
        !self.lock().waiters.is_empty()
    }

    /// Enters a receiver, which gets its answer within `wait` or soon after.
    pub(crate) fn enter(
        self: &Arc<Self>,
        core: &Arc<Core>,
        max: usize,
        wait: Millis,
    ) -> oneshot::Receiver<Deliveries> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.lock();
        // Whoever does not wait relies on no arrival that may not have been told of yet.
        if wait == Millis::ZERO {
            self.open_in(&mut state);
        }
        state.waiters.push_back(Waiter {
            max,
            wait,
            give_up: core.clock.now() + wait,
            reply,
            looked: false,
        });
        let is_served = std::mem::replace(&mut state.is_served, true);
        drop(state);
        match is_served {
            true => self.changed.notify_one(),
            false => drop(tokio::spawn(serve(self.clone(), core.clone()))),
        }
        answer
    }

    /// Has it looked again who still waits.
    pub(crate) fn look_again(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn open(&self, partition: PartitionId) {
        self.lock().open.insert(partition);
        self.changed.notify_one();
    }

    pub(crate) fn open_all(&self) {
        self.open_in(&mut self.lock());
        self.changed.notify_one();
    }

    fn open_in(&self, state: &mut State) {
        state.open = (0..self.partitions).map(PartitionId).collect();
    }

    /// How many deliveries are wanted, and where to look for them; `None` when nobody waits.
    fn want(&self, now: Timestamp) -> Option<(usize, Vec<PartitionId>)> {
        let mut state = self.lock();
        state.waiters.retain(|waiter| !waiter.reply.is_closed());
        if state.waiters.is_empty() {
            state.is_served = false;
            return None;
        }
        let recheck_at = now + millis(REDIS_RECHECK);
        // A clock that was set back makes no wait longer.
        if state.recheck_at <= now || state.recheck_at > recheck_at {
            self.open_in(&mut state);
            state.recheck_at = recheck_at;
        }
        let visible: Vec<PartitionId> = state
            .visible
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(partition, _)| *partition)
            .collect();
        for partition in &visible {
            state.visible.remove(partition);
        }
        state.open.extend(visible);
        for waiter in &mut state.waiters {
            waiter.looked = true;
            waiter.give_up = waiter.give_up.min(now + waiter.wait);
        }
        let wanted = state.waiters.iter().map(|waiter| waiter.max);
        let wanted = wanted.fold(0usize, usize::saturating_add).min(REDIS_TAKEN);
        Some((
            wanted,
            std::mem::take(&mut state.open).into_iter().collect(),
        ))
    }

    /// Hands out what was taken; what nobody takes is returned.
    fn hand_out(&self, mut taken: Vec<Delivery>, now: Timestamp) -> Vec<Delivery> {
        let mut state = self.lock();
        while !taken.is_empty()
            && let Some(waiter) = state.waiters.pop_front()
        {
            let rest = taken.split_off(waiter.max.min(taken.len()));
            let own = std::mem::replace(&mut taken, rest);
            if let Err(Ok(mut own)) = waiter.reply.send(Ok(own)) {
                own.append(&mut taken);
                taken = own;
            }
        }
        let (over, waiting) = std::mem::take(&mut state.waiters)
            .into_iter()
            .partition(|waiter| waiter.looked && waiter.give_up <= now);
        state.waiters = waiting;
        for waiter in over {
            // Whoever has gone needs no answer.
            let _ = waiter.reply.send(Ok(Vec::new()));
        }
        taken
    }

    fn fail(&self, error: &CallError) {
        let mut state = self.lock();
        self.open_in(&mut state);
        let (asked, others) = std::mem::take(&mut state.waiters)
            .into_iter()
            .partition(|waiter| waiter.looked);
        state.waiters = others;
        for waiter in asked {
            let _ = waiter.reply.send(Err(error.clone().into()));
        }
    }

    fn note(&self, found: &take::Found, now: Timestamp) {
        let mut state = self.lock();
        state.open.extend(&found.open);
        for (partition, wait) in &found.visible {
            // The server tells in microseconds; a millisecond more, and it is over there, too.
            let at = now + millis(*wait) + Millis::new(1);
            let first = state.visible.entry(*partition).or_insert(at);
            *first = at.min(*first);
        }
    }

    /// When to look again although nothing is told of; `None` when at once.
    fn next(&self) -> Option<Timestamp> {
        let state = self.lock();
        if !state.open.is_empty() {
            return None;
        }
        let visible = state.visible.values().copied();
        let patience = state.waiters.iter().map(|waiter| waiter.give_up);
        visible.chain(patience).chain([state.recheck_at]).min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes for the waiters as long as there are any.
async fn serve(group: Arc<Group>, core: Arc<Core>) {
    while let Some((wanted, open)) = group.want(core.clock.now()) {
        let found = match open.is_empty() {
            true => Ok(take::Found::default()),
            false => take::take(&core, &group.kind, &open, wanted).await,
        };
        let now = core.clock.now();
        match found {
            Ok(mut found) => {
                group.note(&found, now);
                let taken = std::mem::take(&mut found.taken).into_iter();
                let taken = taken.map(|(_, delivery)| delivery).collect();
                let left = group.hand_out(taken, now);
                take::give_back(&core, left).await;
            }
            Err(error) => group.fail(&error),
        }
        if group.is_awaited()
            && let Some(at) = group.next()
        {
            tokio::select! {
                biased;
                () = group.changed.notified() => {}
                () = core.clock.sleep(at.since(core.clock.now()).into()) => {}
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> Millis {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Millis::new(u64::try_from(millis).unwrap_or(u64::MAX))
}
