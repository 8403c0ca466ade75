//! Timers, by the index that follows the records.

use futures::future::try_join_all;
use russet_core::{PartitionId, Timestamp};
use russet_engine::{Due, StoreError};

use super::query::Group;
use super::{Dynamo, item, shape};
use crate::limits::DYNAMO_TIMER_SHARDS;

impl Dynamo {
    pub(super) async fn due_timers(
        &self,
        partition: PartitionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let shards = (0..DYNAMO_TIMER_SHARDS)
            .map(|shard| self.due_in(Group::Timers(item::timers(partition, shard)), before, limit));
        let shards = try_join_all(shards).await?;
        let mut due: Vec<Due> = shards.into_iter().flatten().collect();
        due.sort_by_key(|due| due.at);
        due.truncate(limit);
        Ok(due)
    }

    async fn due_in(
        &self,
        group: Group,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let mut due = Vec::new();
        let mut start = None;
        loop {
            let timers = self.query(group.clone());
            let timers = timers.within("<=", item::number(before.as_millis()));
            let timers = timers.limit(limit - due.len()).from(start);
            let page = timers.read().await?;
            for entry in &page.entries {
                let timer = self.entry(shape::TIMERS, entry, item::read_timer(entry));
                due.extend(timer.map(|(at, timer)| Due { at, timer }));
            }
            start = page.next;
            if start.is_none() || due.len() >= limit {
                return Ok(due);
            }
        }
    }
}
