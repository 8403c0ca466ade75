//! Listings: groups of tasks by queue and status, merged by id, or the tasks of a workflow.

mod merge;
mod workflow;

use futures::stream::{self, StreamExt, TryStreamExt};
use russet_core::{Status, TaskId};
use russet_engine::{Listing, Order, Page, StoreError};

use self::merge::{Merged, Run};
use super::query::Group;
use super::{Dynamo, item};
use crate::limits::DYNAMO_READS_AT_ONCE;

/// Ids that a run is asked for beyond its share of a page.
const SPARE: usize = 4;

impl Dynamo {
    pub(super) async fn page(&self, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
        let limit = listing.limit.max(1);
        let wanted = limit.saturating_add(1);
        let mut tasks = match listing.workflow {
            Some(workflow) => self.of_workflow(workflow, listing, wanted).await?,
            None => self.of_groups(listing, wanted).await?,
        };
        let more = tasks.len() > limit;
        tasks.truncate(limit);
        Ok(Page {
            next: more.then(|| tasks.last().copied()).flatten(),
            items: tasks,
        })
    }

    async fn of_groups(&self, listing: &Listing, wanted: usize) -> Result<Vec<TaskId>, StoreError> {
        let groups = self.groups(listing).await?;
        let share = wanted.div_ceil(groups.len().max(1)).saturating_add(SPARE);
        let first = stream::iter(groups)
            .map(|group| self.run(group, listing, listing.after, share.min(wanted)))
            .buffered(DYNAMO_READS_AT_ONCE);
        let mut merged = Merged::new(listing.order, first.try_collect().await?);
        let mut tasks = Vec::new();
        while tasks.len() < wanted {
            if let Some(empty) = merged.to_refill() {
                let (group, after) = (empty.group.clone(), empty.last);
                let rest = wanted - tasks.len();
                let run = self.run(group, listing, after, share.min(rest)).await?;
                merged.refill(run);
                continue;
            }
            match merged.next() {
                Some(task) => tasks.push(task),
                None => break,
            }
        }
        Ok(tasks)
    }

    /// The groups in which the tasks of a listing are.
    async fn groups(&self, listing: &Listing) -> Result<Vec<Vec<u8>>, StoreError> {
        let queues = match &listing.queue {
            Some(queue) => vec![queue.clone()],
            None => self.names(item::registered()).await?,
        };
        let shards = item::listing_shards(self.partitions);
        let statuses = Status::ALL.into_iter();
        let statuses = statuses.filter(|s| listing.status.is_none_or(|wanted| wanted == *s));
        let statuses: Vec<Status> = statuses.collect();
        let mut groups = Vec::new();
        for queue in &queues {
            for status in &statuses {
                groups.extend((0..shards).map(|shard| item::listed(shard, *status, queue)));
            }
        }
        Ok(groups)
    }

    /// Up to `limit` ids of a group, behind `after`.
    async fn run(
        &self,
        group: Vec<u8>,
        listing: &Listing,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Run, StoreError> {
        let query = Group::Listed(group.clone());
        let (ids, more) = self.ids(query, listing.order, after, limit).await?;
        Ok(Run {
            group,
            last: ids.last().copied().or(after),
            ids: ids.into(),
            more,
        })
    }

    /// Up to `limit` ids of a group, and whether there are more of them behind.
    async fn ids(
        &self,
        group: Group,
        order: Order,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<(Vec<TaskId>, bool), StoreError> {
        let comparison = match order {
            Order::Oldest => ">",
            Order::Newest => "<",
        };
        let index = group.index_name();
        let mut start = None;
        loop {
            let query = self.query(group.clone()).order(order).limit(limit);
            let query = match after {
                Some(after) => query.within(comparison, item::bytes(after.as_u128().to_be_bytes())),
                None => query,
            };
            let page = query.from(start).read().await?;
            let entries = page.entries.iter();
            let ids = entries.filter_map(|entry| self.entry(index, entry, item::read_id(entry)));
            let ids: Vec<TaskId> = ids.collect();
            start = page.next;
            // Without an id nobody could go on from here.
            if !ids.is_empty() || start.is_none() {
                return Ok((ids, start.is_some()));
            }
        }
    }
}
