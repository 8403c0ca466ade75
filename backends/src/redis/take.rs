//! Takes deliveries from several lanes and partitions, lowest score first over all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use russet_core::{Lane, PartitionId};
use russet_engine::{Delivery, Receipt};

use super::call::{Args, CallError, array, integer, strings};
use super::core::{Core, Partition, sift};
use super::groups::Kind;
use super::member;
use super::peek::{self, wait};
use super::receipt::Ticket;
use super::script;
use crate::index::keys::Place;
use crate::limits::{REDIS_BACKOFF_MAX, REDIS_CALL_LANES, REDIS_RECHECK, REDIS_UNREADABLE_HIDDEN};

/// What a look at lanes found.
#[derive(Default)]
pub(crate) struct Found {
    /// In the order of their places.
    pub(crate) taken: Vec<(Place, Delivery)>,
    /// Partitions in which more may be ready.
    pub(crate) open: Vec<PartitionId>,
    /// After what time a hidden delivery of a partition becomes visible.
    pub(crate) visible: Vec<(PartitionId, Duration)>,
}

impl Found {
    /// The shelf could not be reached, and is to be looked at again.
    fn miss(&mut self, shelf: &Shelf<'_>) {
        self.visible.push((shelf.partition.id, REDIS_BACKOFF_MAX));
    }

    /// The shelf has something and does not give it: it is not looked at again before a pause.
    fn pass_over(&mut self, shelf: &Shelf<'_>) {
        let partition = shelf.partition.id;
        self.open.retain(|open| *open != partition);
        self.visible.retain(|(visible, _)| *visible != partition);
        self.miss(shelf);
    }
}

/// Takes up to `max` deliveries from these partitions. It fails when no partition of the store can
/// be reached, or each is on a server that refuses to give; the others are there while some cannot.
pub(crate) async fn take(
    core: &Arc<Core>,
    kind: &Kind,
    open: &[PartitionId],
    max: usize,
) -> Result<Found, CallError> {
    match try_take(core, kind, open, max).await {
        Err(error) if open.len() < core.partitions.len() => {
            tracing::debug!(%error, "partitions could not be reached");
            let again = open.iter().map(|id| (*id, REDIS_BACKOFF_MAX));
            Ok(Found {
                visible: again.collect(),
                ..Found::default()
            })
        }
        found => found,
    }
}

async fn try_take(
    core: &Arc<Core>,
    kind: &Kind,
    open: &[PartitionId],
    max: usize,
) -> Result<Found, CallError> {
    let shelves: Vec<Shelf<'_>> = open
        .iter()
        .filter_map(|id| core.partition(*id))
        .flat_map(|partition| {
            let chunks = kind.lanes.chunks(REDIS_CALL_LANES);
            chunks.map(move |lanes| Shelf { partition, lanes })
        })
        .collect();
    if let [only] = shelves.as_slice()
        && let [_] = only.lanes
    {
        let mut found = Found::default();
        let full = only.take(core, kind, &[max], &mut found).await?;
        found.open.extend(full.then_some(only.partition.id));
        return Ok(found);
    }
    choose(core, kind, &shelves, max).await
}

/// Looks at all of them first, then takes what comes first over all.
async fn choose(
    core: &Arc<Core>,
    kind: &Kind,
    shelves: &[Shelf<'_>],
    max: usize,
) -> Result<Found, CallError> {
    let (mut found, mut reached) = (Found::default(), Vec::new());
    let (mut peeks, mut late) = (Vec::new(), Vec::new());
    let looks = shelves
        .iter()
        .map(|shelf| (shelf.partition.id, shelf.keys()));
    let looks = peek::each(core, looks.collect(), max).await;
    for (number, peek) in looks.into_iter().enumerate() {
        match peek {
            Some(peek) => peeks.push((number, peek)),
            None => late.push(shelves[number].partition.id),
        }
    }
    let pause = |partition| (partition, REDIS_RECHECK);
    found.visible.extend(late.into_iter().map(pause));
    // One that cannot be read counts as the first of all: it is taken out of the way.
    let mut places: Vec<(Option<Place>, usize, usize)> = Vec::new();
    for (number, peek) in sift(peeks.into_iter(), |missed| found.miss(&shelves[missed]))? {
        let partition = shelves[number].partition.id;
        reached.push(number);
        found
            .visible
            .extend(peek.wait.map(|wait| (partition, wait)));
        for (lane, seen) in peek.places.into_iter().enumerate() {
            places.extend(seen.into_iter().map(|place| (place, number, lane)));
        }
    }
    places.sort_unstable();
    let seen: Vec<usize> = places.iter().map(|(_, number, _)| *number).collect();
    found
        .open
        .extend(seen.iter().map(|n| shelves[*n].partition.id));
    found.open.sort_unstable();
    found.open.dedup();
    let mut counts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (_, number, lane) in places.into_iter().take(max) {
        let lanes = shelves[number].lanes.len();
        counts.entry(number).or_insert_with(|| vec![0; lanes])[lane] += 1;
    }
    let takes = counts.iter().map(async |(number, counts)| {
        let mut part = Found::default();
        shelves[*number].take(core, kind, counts, &mut part).await?;
        Ok::<_, CallError>(part)
    });
    let mut refused = Vec::new();
    for (number, part) in counts.keys().zip(join_all(takes).await) {
        match part {
            Ok(part) => {
                found.taken.extend(part.taken);
                found.visible.extend(part.visible);
            }
            Err(error) => refused.push((&shelves[*number], error)),
        }
    }
    let gives = |shelf: &Shelf<'_>| refused.iter().all(|(other, _)| !shelf.shares(core, other));
    let is_any_left = reached.iter().any(|number| gives(&shelves[*number]));
    for (shelf, error) in refused {
        if found.taken.is_empty() && !is_any_left {
            return Err(error);
        }
        tracing::debug!(%error, "a partition gave nothing");
        found.pass_over(shelf);
    }
    found.taken.sort_unstable_by_key(|(place, _)| *place);
    Ok(found)
}

/// Some lanes of one partition, which one call looks at.
struct Shelf<'a> {
    partition: &'a Partition,
    lanes: &'a [Lane],
}

impl Shelf<'_> {
    fn keys(&self) -> Vec<Vec<u8>> {
        let lanes = self.lanes.iter();
        lanes
            .flat_map(|lane| self.partition.keys.lane(lane))
            .collect()
    }

    /// Whether another one is on the same server.
    fn shares(&self, core: &Core, other: &Self) -> bool {
        core.link(self.partition)
            .leads_as(&core.link(other.partition))
    }

    /// Takes so many of each lane; whether there were as many.
    async fn take(
        &self,
        core: &Core,
        kind: &Kind,
        counts: &[usize],
        found: &mut Found,
    ) -> Result<bool, CallError> {
        let mut args = Args::default();
        let micros = kind
            .visibility
            .as_micros()
            .min(u128::from(member::MICROS_MAX));
        args.number(micros);
        for count in counts {
            args.number(count);
        }
        let link = core.link(self.partition);
        let answer = link.repeatable(&script::TAKE, &self.keys(), &args).await?;
        let mut answer = array(answer)?.into_iter();
        let wait = wait(answer.next())?;
        found
            .visible
            .extend(wait.map(|wait| (self.partition.id, wait)));
        let until = integer(answer.next().unwrap_or_default())?;
        let (mut full, mut unreadable) = (true, Vec::new());
        for ((lane, taken), count) in self.lanes.iter().zip(answer).zip(counts) {
            let taken = strings(taken)?;
            full &= taken.len() == *count;
            let [ready, _] = self.partition.keys.lane(lane);
            for member in taken {
                let place = member::read_place(self.partition.id, &member);
                match core.read(&ready, &member, place) {
                    Some(place) => found.taken.push(self.deliver(lane, place, until)),
                    None => unreadable.push((lane, until, member)),
                }
            }
        }
        put_aside(core, self.partition, &unreadable).await;
        Ok(full)
    }

    fn deliver(&self, lane: &Lane, place: Place, until: i64) -> (Place, Delivery) {
        let ticket = Ticket {
            place,
            partition: self.partition.id,
            until,
            lane: lane.clone(),
        };
        let delivery = Delivery {
            task: place.task,
            receipt: ticket.write(),
            lane: ticket.lane,
        };
        (place, delivery)
    }
}

/// Gives deliveries back that nobody waits for any more.
pub(crate) async fn give_back(core: &Core, deliveries: Vec<Delivery>) {
    if deliveries.is_empty() {
        return;
    }
    let receipts = deliveries.into_iter().map(|delivery| delivery.receipt);
    if let Err(error) = release(core, receipts.collect(), Duration::ZERO).await {
        tracing::debug!(%error, "deliveries were not given back; they come again");
    }
}

/// Gives deliveries back, to be delivered again after `delay`.
pub(crate) async fn release(
    core: &Core,
    receipts: Vec<Receipt>,
    delay: Duration,
) -> Result<(), CallError> {
    let mut by_partition: BTreeMap<PartitionId, Vec<Ticket>> = BTreeMap::new();
    for ticket in receipts.iter().filter_map(Ticket::read) {
        by_partition
            .entry(ticket.partition)
            .or_default()
            .push(ticket);
    }
    let calls = by_partition.iter().map(async |(id, tickets)| {
        let Some(partition) = core.partition(*id) else {
            return Ok(());
        };
        let hidden = tickets.iter().map(|ticket| {
            let place = member::place(*id, ticket.place);
            (&ticket.lane, ticket.until, place)
        });
        let hidden: Vec<_> = hidden.collect();
        release_in(core, partition, &hidden, delay).await
    });
    join_all(calls).await.into_iter().collect()
}

/// Gives members of lanes back, each hidden until then, to be met again after `delay`.
async fn release_in<M: AsRef<[u8]>>(
    core: &Core,
    partition: &Partition,
    hidden: &[(&Lane, i64, M)],
    delay: Duration,
) -> Result<(), CallError> {
    let mut lanes: Vec<&Lane> = hidden.iter().map(|(lane, ..)| *lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let mut args = Args::default();
    args.number(delay.as_micros().min(u128::from(member::MICROS_MAX)));
    args.push(core.names.channel());
    for lane in &lanes {
        args.push(partition.keys.arrival(lane));
    }
    for (lane, until, member) in hidden {
        let number = lanes.binary_search(lane).unwrap_or_default() + 1;
        args.number(number).number(until);
        args.push(member);
    }
    let keys: Vec<_> = lanes
        .iter()
        .flat_map(|lane| partition.keys.lane(lane))
        .collect();
    let link = core.link(partition);
    link.repeatable(&script::RELEASE, &keys, &args).await?;
    Ok(())
}

/// Hides members that cannot be read for long, so that they stand in nobody's way.
async fn put_aside(core: &Core, partition: &Partition, members: &[(&Lane, i64, Vec<u8>)]) {
    if members.is_empty() {
        return;
    }
    let hidden = release_in(core, partition, members, REDIS_UNREADABLE_HIDDEN).await;
    if let Err(error) = hidden {
        tracing::debug!(%error, "what cannot be read is met again soon");
    }
}
