use async_trait::async_trait;
use redis::cmd;
use russet_core::{Epoch, PartitionId, RecordKey, TaskId, Timestamp, TransactionLimit};
use russet_engine::{
    Due, Limits, Listing, Outcome, Page, Stats, Store, StoreError, Transaction, Versioned,
};

use super::apart;
use super::call::{CallError, FULL, array, integer, optional};
use super::core::{Core, Partition};
use super::options::Acknowledge;
use super::{Redis, list, member, stats};
use crate::key;
use crate::limits::{REDIS_LOADS, REDIS_RECORD_BYTES, REDIS_TRANSACTION_CHANGES};
use crate::value::ValueError;

#[async_trait]
impl Store for Redis {
    fn partitions(&self) -> u16 {
        u16::try_from(self.core.partitions.len()).unwrap_or(u16::MAX)
    }

    fn limits(&self) -> Limits {
        Limits {
            transaction: TransactionLimit {
                changes: REDIS_TRANSACTION_CHANGES,
                ..TransactionLimit::NONE
            },
            record_bytes: REDIS_RECORD_BYTES,
            is_far: true,
        }
    }

    /// It grows when another process of a server answers than before.
    fn epoch(&self, partition: PartitionId) -> Epoch {
        let partition = self.core.partition(partition);
        partition.map_or_else(Epoch::default, Partition::epoch)
    }

    async fn get(
        &self,
        partition: PartitionId,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Versioned>>, StoreError> {
        match self.core.partition(partition) {
            Some(partition) => get(&self.core, partition, keys).await,
            None => Ok(vec![None; keys.len()]),
        }
    }

    async fn commit(
        &self,
        partition: PartitionId,
        batch: Vec<Transaction>,
    ) -> Result<Vec<Outcome>, StoreError> {
        match self.core.partition(partition) {
            Some(partition) => self.core.commit(partition, &batch).await,
            None => Err(crate::no_partition(partition, self.partitions())),
        }
    }

    /// The primary shows what its replicas do not have yet.
    async fn confirm(&self, partition: PartitionId, epoch: Epoch) -> Result<Outcome, StoreError> {
        match (self.core.acknowledge, self.core.partition(partition)) {
            (Acknowledge::Replica, Some(partition)) => self
                .core
                .confirm(partition, epoch)
                .await
                .map_err(CallError::of_read),
            _ => Ok(Outcome::Committed),
        }
    }

    async fn due(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        match self.core.partition(partition) {
            Some(partition) if limit > 0 => due(&self.core, partition, before, limit)
                .await
                .map_err(CallError::of_read),
            _ => Ok(Vec::new()),
        }
    }

    fn unreadable(&self) -> u64 {
        self.core.unreadable.count()
    }

    async fn fullness(&self) -> Result<Option<String>, StoreError> {
        let full = self.core.is_full().await.map_err(CallError::of_read)?;
        Ok(full.then(|| FULL.to_owned()))
    }

    async fn list(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        list::list(&self.core, listing).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        stats::stats(&self.core).await
    }
}

/// Loads records, in the order of `keys`.
pub(super) async fn get(
    core: &Core,
    partition: &Partition,
    keys: &[RecordKey],
) -> Result<Vec<Option<Versioned>>, StoreError> {
    let mut loaded = Vec::with_capacity(keys.len());
    for keys in keys.chunks(REDIS_LOADS) {
        let places: Vec<_> = keys.iter().map(|k| key::place(partition.id, k)).collect();
        let (mut command, records) = (cmd("HMGET"), partition.keys.records());
        command.arg(&records);
        let mut asked = 0;
        for key in keys {
            let fields = apart::fields(partition.id, key);
            asked += fields.len();
            command.arg(fields);
        }
        let answer = core.link(partition).read_of(&command, Some(&records));
        let answer = answer.await;
        let values = answer.and_then(array).map_err(CallError::of_read)?;
        if values.len() != asked {
            let error = CallError::Strange(format!("{} values for {asked}", values.len()));
            return Err(error.of_read());
        }
        let mut values = values.into_iter();
        for (place, key) in places.iter().zip(keys) {
            let mut next = || optional(values.next().unwrap_or_default());
            let first = next().map_err(CallError::of_read)?;
            let later = match apart::may_be(key) {
                true => next().map_err(CallError::of_read)?,
                false => None,
            };
            let record = apart::read(place, first.as_deref(), later.as_deref());
            loaded.push(record.map_err(|why| unreadable(partition.id, key, &why))?);
        }
    }
    Ok(loaded)
}

/// Those of the records that can be read; the log tells of the others.
pub(super) async fn readable(
    core: &Core,
    partition: &Partition,
    keys: &[RecordKey],
) -> Result<Vec<Option<Versioned>>, StoreError> {
    match get(core, partition, keys).await {
        Err(error) if error.concerns_records() => {}
        answer => return answer,
    }
    // Each by itself, once it is known that one cannot be read.
    let mut loaded = Vec::with_capacity(keys.len());
    for key in keys {
        match get(core, partition, std::slice::from_ref(key)).await {
            Err(error) if error.concerns_records() => {
                tracing::debug!(%error, "left out");
                loaded.push(None);
            }
            answer => loaded.extend(answer?),
        }
    }
    Ok(loaded)
}

fn unreadable(partition: PartitionId, key: &RecordKey, why: &ValueError) -> StoreError {
    let record = format!("the record {key:?} of partition {}", partition.0);
    StoreError::Unreadable {
        why: match why {
            // That it is newer says what to do.
            ValueError::Newer(_) => format!("{record} cannot be read: {why}"),
            _ => format!("{record} cannot be read: {why}; restore the server from a backup"),
        },
    }
}

async fn due(
    core: &Core,
    partition: &Partition,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Due>, CallError> {
    let timers = partition.keys.timers();
    let (mut due, mut seen) = (Vec::new(), 0);
    // Those that cannot be read stay where they are, and are looked past.
    loop {
        let most = limit.saturating_sub(due.len());
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&timers).arg("-inf");
        command.arg(member::timer_score(before)).arg("WITHSCORES");
        command.arg("LIMIT").arg(seen);
        command.arg(i64::try_from(most).unwrap_or(-1));
        let answer = array(core.link(partition).read(&command).await?)?;
        let read = answer.len() / 2;
        let mut answer = answer.into_iter();
        while let (Some(timer), Some(at)) = (answer.next(), answer.next()) {
            let bytes = super::call::bytes(timer)?;
            let timer = member::read_timer(partition.id, &bytes);
            let at = Timestamp::from_millis(integer(at)?.max(0) as u64);
            let timer = core.read(&timers, &bytes, timer);
            due.extend(timer.map(|timer| Due { at, timer }));
        }
        seen += read;
        if read < most || due.len() >= limit {
            return Ok(due);
        }
    }
}
