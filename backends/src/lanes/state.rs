use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use russet_core::{Lane, QueueName, TaskId, Timestamp};
use russet_engine::{Delivery, Depth, Receipt};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::Wakes;
use super::lane::LaneState;
use super::receipt::Delivered;
use super::registry::Registry;
use super::waiters::Waiters;
use crate::index::keys::Place;

/// What the lock of [`super::Lanes`] guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    lanes: Registry,
    /// Only looked up in, never walked through.
    hidden: FxHashMap<TaskId, Hidden>,
    deliveries: u64,
    waiters: Waiters,
    /// Lanes in which tasks have arrived.
    fresh: Vec<u32>,
    epoch: u64,
}

/// A delivery that is not settled.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    lane: u32,
    place: Place,
    until: Timestamp,
    number: u64,
}

impl State {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Puts a task into a lane.
    pub(crate) fn announce(&mut self, lane: &Lane, score: i64, task: TaskId) {
        let number = self.lanes.number(lane);
        if let Some(state) = self.lanes.get_mut(number) {
            state.ready.insert(Place { score, task });
        }
        self.epoch += u64::from(self.lanes.make_known(number));
        self.freshen(number);
    }

    /// Takes a task out of a lane, delivered or not.
    pub(crate) fn withdraw(&mut self, lane: &Lane, score: i64, task: TaskId) {
        let place = Place { score, task };
        if let Some(hidden) = self.hidden.get(&task).copied()
            && hidden.place == place
            && let Some(state) = self.lanes.get_mut(hidden.lane)
            && *state.lane == *lane
        {
            state.hidden.remove(&(hidden.until, place));
            self.hidden.remove(&task);
        } else if let Some(number) = self.lanes.find(lane)
            && let Some(state) = self.lanes.get_mut(number)
        {
            state.ready.remove(place);
        }
    }

    /// Takes up to `max` deliveries, lowest score first over all lanes, and hides them.
    pub(crate) fn take(
        &mut self,
        from: &[Lane],
        max: usize,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<Delivery> {
        let mut heads = BinaryHeap::with_capacity(from.len());
        for lane in from {
            if let Some(number) = self.lanes.find(lane) {
                self.restore(number, now);
                heads.extend(self.head(number));
            }
        }
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some((Reverse(place), number)) = heads.pop()
        {
            if self.head(number) == Some((Reverse(place), number)) {
                taken.extend(self.hide(number, place, until));
            }
            heads.extend(self.head(number));
        }
        self.pass_on(from);
        taken
    }

    /// Enters a receiver that waits, and returns its ticket.
    pub(crate) fn wait(&mut self, from: &[Lane], max: usize, notify: Arc<Notify>) -> u64 {
        let ticket = self.waiters.enter(max, notify);
        for lane in from {
            let number = self.lanes.number(lane);
            if let Some(state) = self.lanes.get_mut(number) {
                state.tickets.insert(ticket);
            }
        }
        ticket
    }

    /// Removes a receiver; whether it was still waiting, that is, had not been woken.
    pub(crate) fn leave(&mut self, ticket: u64, from: &[Lane]) -> bool {
        for lane in from {
            if let Some(number) = self.lanes.find(lane)
                && let Some(state) = self.lanes.get_mut(number)
            {
                state.tickets.remove(&ticket);
            }
        }
        self.waiters.leave(ticket)
    }

    /// Has one more receiver woken for each of these lanes that still has deliveries.
    pub(crate) fn pass_on(&mut self, lanes: &[Lane]) {
        for lane in lanes {
            if let Some(number) = self.lanes.find(lane)
                && let Some(state) = self.lanes.get(number)
                && !state.ready.is_empty()
                && !state.tickets.is_empty()
            {
                self.freshen(number);
            }
        }
    }

    /// Receivers to be woken for what arrived: as many as it takes, and no more.
    pub(crate) fn wake_for_fresh(&mut self) -> Wakes {
        let mut wakes = Wakes::new();
        for number in std::mem::take(&mut self.fresh) {
            let Some(state) = self.lanes.get_mut(number) else {
                continue;
            };
            let mut fresh = std::mem::take(&mut state.fresh);
            while fresh > 0 && !state.tickets.is_empty() {
                let takes = self.waiters.wake_one(&mut state.tickets, &mut wakes);
                fresh = fresh.saturating_sub(takes);
            }
        }
        wakes
    }

    /// When the first hidden delivery of these lanes becomes visible.
    pub(crate) fn next_visible(&self, from: &[Lane]) -> Option<Timestamp> {
        let lanes = from.iter().filter_map(|lane| self.lane(lane));
        lanes
            .filter_map(|lane| lane.hidden.first())
            .map(|(until, _)| *until)
            .min()
    }

    pub(crate) fn delete(&mut self, receipt: &Receipt) {
        self.unhide(receipt);
    }

    /// Gives a delivery back, to be seen at once or at `until`.
    pub(crate) fn release(&mut self, receipt: &Receipt, until: Option<Timestamp>) {
        let Some((task, hidden)) = self.unhide(receipt) else {
            return;
        };
        let Some(state) = self.lanes.get_mut(hidden.lane) else {
            return;
        };
        match until {
            None => {
                state.ready.insert(hidden.place);
            }
            Some(until) => {
                state.hidden.insert((until, hidden.place));
                self.deliveries += 1;
                let number = self.deliveries;
                let hidden = Hidden {
                    until,
                    number,
                    ..hidden
                };
                self.hidden.insert(task, hidden);
            }
        }
        self.freshen(hidden.lane);
    }

    pub(crate) fn of_queue(&self, queue: &QueueName) -> Vec<Lane> {
        self.lanes.of_queue(queue)
    }

    pub(crate) fn depth(&mut self, lane: &Lane, now: Timestamp) -> Depth {
        if let Some(number) = self.lanes.find(lane) {
            self.restore(number, now);
        }
        self.pass_on(std::slice::from_ref(lane));
        self.lane(lane).map_or_else(Depth::default, |state| Depth {
            visible: state.ready.len() as u64,
            hidden: state.hidden.len() as u64,
        })
    }

    pub(crate) fn oldest(&self) -> Vec<(QueueName, TaskId)> {
        let first = |state: &LaneState| {
            let hidden = state.hidden.iter().map(|(_, place)| *place).min();
            let first = state.ready.first().into_iter().chain(hidden).min()?;
            Some((state.lane.queue.clone(), first.task))
        };
        self.lanes.all().filter_map(first).collect()
    }

    fn lane(&self, lane: &Lane) -> Option<&LaneState> {
        self.lanes.get(self.lanes.find(lane)?)
    }

    fn head(&self, number: u32) -> Option<(Reverse<Place>, u32)> {
        let first = self.lanes.get(number)?.ready.first();
        first.map(|place| (Reverse(place), number))
    }

    fn hide(&mut self, number: u32, place: Place, until: Timestamp) -> Option<Delivery> {
        let state = self.lanes.get_mut(number)?;
        state.ready.remove(place);
        state.hidden.insert((until, place));
        let task = place.task;
        let lane = (*state.lane).clone();
        self.deliveries += 1;
        let delivery = Delivered {
            task,
            number: self.deliveries,
        };
        let hidden = Hidden {
            lane: number,
            place,
            until,
            number: self.deliveries,
        };
        // A task that was announced twice: of its two deliveries the newer one counts.
        if let Some(earlier) = self.hidden.insert(task, hidden)
            && (earlier.lane, earlier.until, earlier.place) != (number, until, place)
            && let Some(state) = self.lanes.get_mut(earlier.lane)
        {
            state.hidden.remove(&(earlier.until, earlier.place));
        }
        Some(Delivery {
            task,
            lane,
            receipt: delivery.write(),
        })
    }

    fn unhide(&mut self, receipt: &Receipt) -> Option<(TaskId, Hidden)> {
        let Delivered { task, number } = Delivered::read(receipt)?;
        let hidden = *self.hidden.get(&task)?;
        if hidden.number != number {
            return None;
        }
        self.hidden.remove(&task);
        let state = self.lanes.get_mut(hidden.lane)?;
        state.hidden.remove(&(hidden.until, hidden.place));
        Some((task, hidden))
    }

    /// Makes those visible whose time hidden is over.
    fn restore(&mut self, number: u32, now: Timestamp) {
        let Some(state) = self.lanes.get_mut(number) else {
            return;
        };
        if russet_core::planted!(DeliveryForgotten) {
            return;
        }
        while let Some((until, place)) = state.hidden.first().copied()
            && until <= now
        {
            state.hidden.remove(&(until, place));
            state.ready.insert(place);
            self.hidden.remove(&place.task);
        }
    }

    fn freshen(&mut self, number: u32) {
        if let Some(state) = self.lanes.get_mut(number) {
            if state.fresh == 0 {
                self.fresh.push(number);
            }
            state.fresh += 1;
        }
    }
}
