use std::collections::BTreeMap;

use futures::future::try_join_all;
use redis::{Pipeline, Value};
use russet_core::{Lane, QueueName, Record, RecordKey, Status, Timestamp};
use russet_engine::{Stats, StoreError};

use super::call::{CallError, integer, strings};
use super::core::{Core, Partition};
use super::keys::read_arrival;
use super::{list, member, store};
use crate::index::StatsSum;
use crate::index::keys::Place;
use crate::limits::REDIS_HIDDEN_LOOKED_AT;

/// What the store holds. A sorted set knows the rank of any score, so that how many tasks of a
/// queue are in a status is known without counting them.
pub(crate) async fn stats(core: &Core) -> Result<Stats, StoreError> {
    let mut sum = StatsSum::default();
    let counts = core
        .partitions
        .iter()
        .map(|partition| counts(core, partition));
    for counts in try_join_all(counts).await.map_err(CallError::of_read)? {
        for (queue, by_status) in counts {
            sum.add(&queue, &by_status);
        }
    }
    let mut oldest: BTreeMap<QueueName, Timestamp> = BTreeMap::new();
    let first = core.partitions.iter().map(|p| oldest_ready(core, p));
    for (queue, at) in try_join_all(first).await?.concat() {
        let first = oldest.entry(queue).or_insert(at);
        *first = at.min(*first);
    }
    Ok(sum.finish(&oldest))
}

type Counts = Vec<(QueueName, [u64; Status::ALL.len()])>;

async fn counts(core: &Core, partition: &Partition) -> Result<Counts, CallError> {
    let configured = list::names(core, partition, &partition.keys.configured()).await?;
    let mut counts: Counts = configured
        .into_iter()
        .map(|queue| (queue, Default::default()))
        .collect();
    let queues = list::queues(core, partition).await?;
    let mut commands = Pipeline::with_capacity(queues.len() * Status::ALL.len());
    for queue in &queues {
        let key = partition.keys.queue(queue);
        for status in Status::ALL {
            let (first, last) = member::listed_scores(status);
            commands.cmd("ZCOUNT").arg(&key).arg(first).arg(last);
        }
    }
    let mut answers = several(core, partition, &commands).await?.into_iter();
    for queue in queues {
        let mut by_status = [0; Status::ALL.len()];
        for count in &mut by_status {
            *count = integer(answers.next().unwrap_or_default())?.max(0) as u64;
        }
        counts.push((queue, by_status));
    }
    Ok(counts)
}

/// When the first task of each lane became ready.
async fn oldest_ready(
    core: &Core,
    partition: &Partition,
) -> Result<Vec<(QueueName, Timestamp)>, StoreError> {
    let firsts = firsts(core, partition).await.map_err(CallError::of_read)?;
    let keys: Vec<_> = firsts
        .iter()
        .map(|(_, place)| RecordKey::Task(place.task))
        .collect();
    let loaded = store::readable(core, partition, &keys).await?;
    let ready = firsts.into_iter().zip(loaded);
    let ready = ready.filter_map(|((lane, _), loaded)| match loaded?.record {
        Record::Task(task) => Some((lane.queue, task.ready_at?)),
        _ => None,
    });
    Ok(ready.collect())
}

/// The first place of each lane, delivered ones included.
async fn firsts(core: &Core, partition: &Partition) -> Result<Vec<(Lane, Place)>, CallError> {
    let mut command = redis::cmd("SMEMBERS");
    command.arg(partition.keys.lanes());
    let lanes = strings(core.link(partition).read(&command).await?)?;
    let lanes = lanes.iter().filter_map(|name| read_arrival(name));
    let lanes: Vec<Lane> = lanes.map(|(_, lane)| lane).collect();
    let mut commands = Pipeline::with_capacity(lanes.len() * 2);
    for lane in &lanes {
        let [ready, hidden] = partition.keys.lane(lane);
        commands.cmd("ZRANGE").arg(ready).arg(0).arg(0);
        let last = REDIS_HIDDEN_LOOKED_AT - 1;
        commands.cmd("ZRANGE").arg(hidden).arg(0).arg(last);
    }
    let mut answers = several(core, partition, &commands).await?.into_iter();
    let mut firsts = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let mut members = strings(answers.next().unwrap_or_default())?;
        members.extend(strings(answers.next().unwrap_or_default())?);
        let places = members
            .iter()
            .filter_map(|bytes| member::read_place(partition.id, bytes));
        firsts.extend(places.min().map(|place| (lane, place)));
    }
    Ok(firsts)
}

async fn several(
    core: &Core,
    partition: &Partition,
    commands: &Pipeline,
) -> Result<Vec<Value>, CallError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    core.link(partition).pipeline(commands).await
}
