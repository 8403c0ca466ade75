//! Counters, by counting: see the module's own page for why.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use russet_core::{QueueName, Status, Timestamp};
use russet_engine::{Stats, StoreError};
use tokio::sync::Mutex;

use super::query::Group;
use super::{Dynamo, item};
use crate::index::StatsSum;
use crate::limits::DYNAMO_READS_AT_ONCE;

/// What was counted last. Whoever asks while others count waits for them.
#[derive(Debug)]
pub(super) struct Counted {
    fresh: Duration,
    last: Mutex<Option<(Timestamp, Stats)>>,
}

impl Counted {
    pub(super) fn new(fresh: Duration) -> Self {
        Self {
            fresh,
            last: Mutex::new(None),
        }
    }
}

/// Tasks of a queue in one state, in one of its parts.
struct Count {
    queue: QueueName,
    status: Status,
    tasks: u64,
    oldest: Option<Timestamp>,
}

impl Dynamo {
    pub(super) async fn counts(&self) -> Result<Stats, StoreError> {
        let mut last = self.counted.last.lock().await;
        let now = self.clock.0.now();
        if let Some((at, stats)) = last.as_ref()
            && Duration::from(now.since(*at)) < self.counted.fresh
        {
            return Ok(stats.clone());
        }
        let stats = self.count_all().await?;
        *last = Some((now, stats.clone()));
        Ok(stats)
    }

    async fn count_all(&self) -> Result<Stats, StoreError> {
        let configured = self.names(item::configured()).await?;
        let mut groups = Vec::new();
        for queue in self.names(item::registered()).await? {
            for status in Status::ALL {
                let shards = 0..item::listing_shards(self.partitions);
                groups.extend(shards.map(|shard| (queue.clone(), status, shard)));
            }
        }
        let counts: Vec<Count> = stream::iter(groups)
            .map(|(queue, status, shard)| self.count(queue, status, shard))
            .buffered(DYNAMO_READS_AT_ONCE)
            .try_collect()
            .await?;
        let (mut sum, mut oldest) = (StatsSum::default(), BTreeMap::new());
        for queue in &configured {
            sum.add(queue, &[0; Status::ALL.len()]);
        }
        for count in counts.into_iter().filter(|count| count.tasks > 0) {
            let mut by_status = [0; Status::ALL.len()];
            by_status[count.status as usize] = count.tasks;
            sum.add(&count.queue, &by_status);
            if let Some(at) = count.oldest {
                let first = oldest.entry(count.queue).or_insert(at);
                *first = at.min(*first);
            }
        }
        Ok(sum.finish(&oldest))
    }

    /// Counts a group. Of queued tasks the first page is read, which costs the same: the one
    /// that has been ready longest is mostly among those that were submitted first.
    async fn count(
        &self,
        queue: QueueName,
        status: Status,
        shard: u16,
    ) -> Result<Count, StoreError> {
        let group = Group::Listed(item::listed(shard, status, &queue));
        let (mut tasks, mut oldest, mut start) = (0, None, None);
        loop {
            let query = self.query(group.clone()).from(start.clone());
            let query = match status == Status::Queued && start.is_none() {
                true => query,
                false => query.count(),
            };
            let page = query.read().await?;
            tasks += page.count;
            let ready = page.entries.iter();
            let ready = ready.filter_map(|entry| item::number_of(entry, item::READY));
            oldest = oldest.or(ready.min().map(Timestamp::from_millis));
            start = page.next;
            if start.is_none() {
                return Ok(Count {
                    queue,
                    status,
                    tasks,
                    oldest,
                });
            }
        }
    }
}
