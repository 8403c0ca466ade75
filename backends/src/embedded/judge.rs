use hashbrown::HashMap;
use russet_engine::{Outcome, Version};

use super::Shared;
use super::disk;
use super::error::DiskError;
use super::request::{Prepared, Request};

/// A key, and the version that it has since a commit.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) place: Vec<u8>,
    pub(crate) version: Option<Version>,
}

/// What becomes of the transactions of some requests, and what is to be written.
#[derive(Default)]
pub(crate) struct Judgement<'a> {
    pub(crate) outcomes: Vec<Vec<Outcome>>,
    places: HashMap<&'a [u8], usize>,
    states: Vec<State<'a>>,
}

/// Where one key stands.
struct State<'a> {
    place: &'a [u8],
    before: Option<Version>,
    now: Option<Version>,
    value: &'a [u8],
}

impl<'a> Judgement<'a> {
    /// Decides the transactions of a request one after another, each on what those before
    /// it leave. Those that make tasks are left out when there is no room for new ones.
    pub(crate) fn add(
        &mut self,
        shared: &Shared,
        request: &'a Request,
        table: &disk::Writer<'_>,
        takes_tasks: bool,
    ) -> Result<(), DiskError> {
        let mut known = shared.versions(request, table)?.into_iter();
        let transactions = request.transactions.iter();
        let outcomes = transactions.map(|transaction| {
            let known: Vec<_> = known.by_ref().take(transaction.changes.len()).collect();
            match takes_tasks || !transaction.makes_task {
                true => self.judge(request, transaction, known.into_iter()),
                false => Outcome::Conflict,
            }
        });
        let outcomes = outcomes.collect();
        self.outcomes.push(outcomes);
        Ok(())
    }

    fn judge(
        &mut self,
        request: &'a Request,
        transaction: &'a Prepared,
        known: impl Iterator<Item = Option<Version>>,
    ) -> Outcome {
        let mut slots = Vec::with_capacity(transaction.changes.len());
        let mut expected = true;
        for (change, known) in transaction.changes.iter().zip(known) {
            let place = request.place(change);
            let slot = *self.places.entry(place).or_insert_with(|| {
                self.states.push(State {
                    place,
                    before: known,
                    now: known,
                    value: &[],
                });
                self.states.len() - 1
            });
            slots.push(slot);
            expected &= self.states[slot].now == change.version_before();
        }
        if !expected {
            return Outcome::Conflict;
        }
        for (change, slot) in transaction.changes.iter().zip(slots) {
            let state = &mut self.states[slot];
            state.now = change.after.as_ref().map(|_| transaction.version);
            state.value = request.value(change);
        }
        Outcome::Committed
    }

    /// Writes what changes, in the order of the keys, which is fastest. A key that stands for
    /// all of it is returned, when anything changes.
    pub(crate) fn write(
        mut self,
        table: &mut disk::Writer<'_>,
    ) -> Result<(Vec<Vec<Outcome>>, Option<Proof>), DiskError> {
        self.states.retain(|state| state.before != state.now);
        let proof = self.states.first().map(|state| Proof {
            place: state.place.to_vec(),
            version: state.now,
        });
        self.states.sort_unstable_by_key(|state| state.place);
        for state in &self.states {
            match state.now {
                Some(_) => drop(table.insert(state.place, state.value)?),
                None => drop(table.remove(state.place)?),
            }
        }
        Ok((self.outcomes, proof))
    }
}
