//! Who waits for messages, which requests for messages are under way, and what has arrived.

mod shelf;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use russet_core::Timestamp;
use russet_engine::{Delivery, Receipt};
use tokio::sync::Notify;

pub(super) use self::shelf::Held;
use self::shelf::{Failure, Shelf};
use super::directory::Place;
use crate::limits::{SQS_BATCH, SQS_FAILED_PAUSE, SQS_LONG_POLL, SQS_POLLS_AT_ONCE, SQS_TURNS};

/// Where receivers and the requests for messages meet.
#[derive(Debug, Default)]
pub(super) struct Desk {
    last: u64,
    waiters: BTreeMap<u64, Waiter>,
    shelves: BTreeMap<Arc<str>, Shelf>,
    /// Which lane is served first, so that each has its turn, and now and then each band.
    turn: usize,
}

/// A receiver.
#[derive(Debug)]
struct Waiter {
    queues: Vec<Arc<str>>,
    max: usize,
    wake: Arc<Notify>,
    /// Whether a request failed that it waited for.
    met_failure: bool,
    /// How often it waited for more although something was there.
    delayed: usize,
    /// Whether a request that should have ended soon did not: it waits for none any more.
    hurries: bool,
}

/// A request for messages.
#[derive(Clone, Debug)]
pub(super) struct Poll {
    pub(super) number: u64,
    pub(super) place: Arc<Place>,
    pub(super) max: usize,
    /// How long it waits at SQS, in seconds.
    pub(super) wait: u64,
    pub(super) visibility: Duration,
}

/// What a receiver finds when it looks.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Deliveries, at least one.
    Some(Vec<Delivery>),
    /// Nothing yet, and a request that ends soon is under way.
    Soon,
    /// Nothing.
    Nothing,
    /// The requests for all that it waits for have failed.
    Failed(String),
}

impl Desk {
    /// A receiver comes, and gets a number.
    pub(super) fn enter(&mut self, max: usize, wake: Arc<Notify>) -> u64 {
        self.last += 1;
        let waiter = Waiter {
            queues: Vec::new(),
            max,
            wake,
            met_failure: false,
            delayed: 0,
            hurries: false,
        };
        self.waiters.insert(self.last, waiter);
        self.last
    }

    /// It goes.
    pub(super) fn leave(&mut self, waiter: u64) {
        self.waiters.remove(&waiter);
    }

    /// A receiver has waited long enough for requests that should end soon.
    pub(super) fn hurry(&mut self, waiter: u64) {
        if let Some(waiter) = self.waiters.get_mut(&waiter) {
            waiter.hurries = true;
        }
    }

    /// Gives a receiver what is there, once it is enough or no more comes soon.
    pub(super) fn look(&mut self, waiter: u64, places: &[Arc<Place>], now: Timestamp) -> Found {
        let Some(known) = self.waiters.get_mut(&waiter) else {
            return Found::Nothing;
        };
        known.queues = places.iter().map(|place| place.name.clone()).collect();
        let (max, met_failure) = (known.max, known.met_failure);
        let (mut there, mut soon) = (0, false);
        for place in places {
            let shelf = self.shelves.entry(place.name.clone()).or_default();
            shelf.asked(now);
            there += shelf.held.iter().filter(|held| held.until > now).count();
            soon |= shelf.short > 0;
        }
        if soon && there < max && self.may_wait(waiter, there) {
            return Found::Soon;
        }
        let taken = self.take(places, max, now);
        if !taken.is_empty() {
            return Found::Some(taken);
        }
        let failed = self.failing(places).filter(|_| met_failure);
        failed.map_or(Found::Nothing, Found::Failed)
    }

    /// Why nothing can come from any of these queues; `None` while one of them can be asked.
    pub(super) fn failing(&self, places: &[Arc<Place>]) -> Option<String> {
        let shelves = places.iter().map(|place| self.shelves.get(&place.name));
        let failures = shelves.map(|shelf| shelf?.failing());
        let failures: Vec<&str> = failures.collect::<Option<_>>()?;
        failures.first().map(|why| (*why).to_owned())
    }

    /// When the next of these queues may be asked again of which a request has failed.
    pub(super) fn resumes(&self, places: &[Arc<Place>], now: Timestamp) -> Option<Timestamp> {
        let shelves = places
            .iter()
            .filter_map(|place| self.shelves.get(&place.name));
        shelves.filter_map(|shelf| shelf.paused(now)).min()
    }

    /// Whether a receiver waits for requests that end soon, although `there` are some messages.
    fn may_wait(&mut self, waiter: u64, there: usize) -> bool {
        let Some(waiter) = self.waiters.get_mut(&waiter) else {
            return true;
        };
        waiter.delayed += there.min(1);
        !waiter.hurries && waiter.delayed <= SQS_POLLS_AT_ONCE
    }

    /// One of each queue in turn, as long as there are some: of the most urgent band first, or, in
    /// its turn, of the least urgent.
    fn take(&mut self, places: &[Arc<Place>], max: usize, now: Timestamp) -> Vec<Delivery> {
        let mut taken = Vec::new();
        let mut bands: Vec<_> = bands(places).collect();
        if self.is_turn_of_all() {
            bands.reverse();
        }
        for places in bands {
            let mut before = None;
            while before != Some(taken.len()) {
                before = Some(taken.len());
                for at in 0..places.len() {
                    let name = &places[(at + self.turn) % places.len()].name;
                    let shelf = self.shelves.get_mut(name);
                    if taken.len() < max
                        && let Some(held) = shelf.and_then(|shelf| shelf.next(now))
                    {
                        taken.push(held.delivery);
                    }
                }
            }
        }
        self.turn = self.turn.wrapping_add(taken.len().min(1));
        taken
    }

    /// Whether those that a more urgent band holds up have their turn.
    fn is_turn_of_all(&self) -> bool {
        self.turn % SQS_TURNS == SQS_TURNS - 1
    }

    /// The requests that are to be made now for a receiver which waits up to `wait`. While a band
    /// is backed up, nobody asks for what is less urgent, unless it is its turn.
    pub(super) fn plan(
        &mut self,
        places: &[Arc<Place>],
        wait: Duration,
        visibility: Duration,
        now: Timestamp,
    ) -> Vec<Poll> {
        let mut polls = Vec::new();
        for places in bands(places) {
            for place in places {
                self.plan_one(place, wait, visibility, now, &mut polls);
            }
            let shelves = places
                .iter()
                .filter_map(|place| self.shelves.get(&place.name));
            if shelves.into_iter().any(|shelf| shelf.deep) && !self.is_turn_of_all() {
                break;
            }
        }
        polls
    }

    fn plan_one(
        &mut self,
        place: &Arc<Place>,
        wait: Duration,
        visibility: Duration,
        now: Timestamp,
        polls: &mut Vec<Poll>,
    ) {
        let demand = self.demand(&place.name);
        let shelf = self.shelves.entry(place.name.clone()).or_default();
        if shelf.paused(now).is_some() {
            return;
        }
        let there = shelf.held.iter().filter(|held| held.until > now).count();
        let demand = demand.saturating_sub(there);
        let at_once = match shelf.deep {
            true => demand.div_ceil(SQS_BATCH).min(SQS_POLLS_AT_ONCE),
            false => demand.min(1),
        };
        while shelf.long + shelf.short < at_once {
            let wait = match shelf.deep || wait.is_zero() {
                true => 0,
                false => shelf.patience(wait),
            };
            match wait {
                0 => shelf.short += 1,
                _ => shelf.long += 1,
            }
            self.last += 1;
            polls.push(Poll {
                number: self.last,
                place: place.clone(),
                max: demand.min(SQS_BATCH),
                wait,
                visibility,
            });
        }
    }

    /// How many messages of a queue are waited for.
    fn demand(&self, queue: &Arc<str>) -> usize {
        let waiters = self.waiters.values();
        let waiters = waiters.filter(|waiter| waiter.queues.contains(queue));
        waiters.fold(0, |sum, waiter| sum.saturating_add(waiter.max))
    }

    /// A request was answered, or failed; whether it is the first of its queue that failed. Whoever
    /// waits for it looks again.
    pub(super) fn ended(
        &mut self,
        poll: &Poll,
        answer: Result<Vec<Held>, String>,
        now: Timestamp,
    ) -> bool {
        let demand = self.demand(&poll.place.name);
        let shelf = self.shelves.entry(poll.place.name.clone()).or_default();
        match poll.wait {
            0 => shelf.short = shelf.short.saturating_sub(1),
            _ => shelf.long = shelf.long.saturating_sub(1),
        }
        let (has_failed, had_failed) = (answer.is_err(), shelf.failed.is_some());
        match answer {
            Ok(held) => {
                shelf.failed = None;
                shelf.deep = held.len() >= poll.max;
                if demand > 0 && held.is_empty() && poll.wait > 0 {
                    shelf.patience = (poll.wait * 2).min(SQS_LONG_POLL.as_secs());
                    shelf.asked_at = Some(now);
                }
                shelf.held.extend(held);
            }
            Err(why) => {
                shelf.deep = false;
                let until = now + SQS_FAILED_PAUSE;
                shelf.failed = Some(Failure { why, until });
            }
        }
        for waiter in self.waiters.values_mut() {
            if waiter.queues.contains(&poll.place.name) {
                waiter.met_failure |= has_failed;
                waiter.wake.notify_one();
            }
        }
        has_failed && !had_failed
    }

    /// What a request brought and nobody took, which is to be given back.
    pub(super) fn left(&mut self, poll: &Poll) -> Vec<Receipt> {
        let Some(shelf) = self.shelves.get_mut(&poll.place.name) else {
            return Vec::new();
        };
        let held = std::mem::take(&mut shelf.held).into_iter();
        let (left, kept): (VecDeque<_>, _) = held.partition(|held| held.poll == poll.number);
        shelf.held = kept;
        left.into_iter().map(|held| held.delivery.receipt).collect()
    }
}

/// Queues of one band after the other. They come in this order.
fn bands(places: &[Arc<Place>]) -> impl Iterator<Item = &[Arc<Place>]> {
    places.chunk_by(|a, b| a.band == b.band)
}
