use std::collections::BTreeSet;

use futures::future::{try_join, try_join_all};
use redis::{Cmd, cmd};
use russet_core::{QueueName, RecordKey, Status, TaskId, WorkflowId, entries};
use russet_engine::{Listing, Order, Page, StoreError};

use super::call::{CallError, strings};
use super::core::{Core, Partition};
use super::member::{self, Member};
use super::store;
use crate::index::Pages;
use crate::limits::{REDIS_LOADS, REDIS_SAME_TIME};

/// One page of the tasks of all partitions.
pub(crate) async fn list(core: &Core, listing: &Listing) -> Result<Page<TaskId>, StoreError> {
    let limit = listing.limit.max(1).saturating_add(1);
    let parts = core
        .partitions
        .iter()
        .map(async |partition| match listing.workflow {
            Some(workflow) => of_workflow(core, partition, listing, workflow, limit).await,
            None => of_queues(core, partition, listing, limit)
                .await
                .map_err(CallError::of_read),
        });
    let mut pages = Pages::new(listing);
    for part in try_join_all(parts).await? {
        pages.add(|_, _| part);
    }
    Ok(pages.finish())
}

/// The names of the queues of a partition that hold a task.
pub(crate) async fn queues(
    core: &Core,
    partition: &Partition,
) -> Result<BTreeSet<QueueName>, CallError> {
    names(core, partition, &partition.keys.queues()).await
}

/// The names of queues in a set.
pub(crate) async fn names(
    core: &Core,
    partition: &Partition,
    key: &[u8],
) -> Result<BTreeSet<QueueName>, CallError> {
    let mut command = cmd("SMEMBERS");
    command.arg(key);
    let names = strings(core.link(partition).read(&command).await?)?;
    let names = names.iter().filter_map(|name| {
        let text = std::str::from_utf8(name).ok();
        core.read(key, name, text.and_then(|text| QueueName::new(text).ok()))
    });
    Ok(names.collect())
}

async fn of_queues(
    core: &Core,
    partition: &Partition,
    listing: &Listing,
    limit: usize,
) -> Result<Vec<TaskId>, CallError> {
    let Some(queue) = &listing.queue else {
        // Those that were known before are read while it is asked which there are now.
        let known = partition.known_queues().clone();
        let (tasks, now) = try_join(
            windows(core, partition, listing, &known, limit),
            queues(core, partition),
        )
        .await?;
        let new: BTreeSet<_> = now.difference(&known).cloned().collect();
        let more = windows(core, partition, listing, &new, limit).await?;
        *partition.known_queues() = now;
        return Ok([tasks, more].concat());
    };
    let queues = BTreeSet::from([queue.clone()]);
    windows(core, partition, listing, &queues, limit).await
}

async fn windows(
    core: &Core,
    partition: &Partition,
    listing: &Listing,
    queues: &BTreeSet<QueueName>,
    limit: usize,
) -> Result<Vec<TaskId>, CallError> {
    let wanted = Status::ALL.into_iter();
    let wanted = wanted.filter(|status| listing.status.is_none_or(|only| only == *status));
    let windows: Vec<_> = wanted
        .flat_map(|status| queues.iter().map(move |queue| (queue, status)))
        .map(|(queue, status)| window(core, partition, listing, queue, status, limit))
        .collect();
    Ok(try_join_all(windows).await?.concat())
}

/// The first `limit` tasks of a queue in a status. Tasks of the millisecond in which the page
/// goes on are read as well, since they are sorted by what is not in the score.
async fn window(
    core: &Core,
    partition: &Partition,
    listing: &Listing,
    queue: &QueueName,
    status: Status,
    limit: usize,
) -> Result<Vec<TaskId>, CallError> {
    let (first, last) = member::listed_scores(status);
    let edge = listing
        .after
        .map(|after| member::listed_score(status, after));
    let key = partition.keys.queue(queue);
    let most = limit.saturating_add(edge.map_or(0, |_| REDIS_SAME_TIME));
    let mut tasks = Vec::new();
    for step in 0usize.. {
        let mut command = match listing.order {
            Order::Oldest => range("ZRANGEBYSCORE", &key, edge.unwrap_or(first), last),
            Order::Newest => range("ZREVRANGEBYSCORE", &key, edge.unwrap_or(last), first),
        };
        let skip = step.saturating_mul(most);
        command.arg("LIMIT").arg(skip).arg(count(most));
        let members = strings(core.link(partition).read(&command).await?)?;
        let read = members.len();
        let ids = members
            .iter()
            .filter_map(|bytes| core.read(&key, bytes, member::read_task(partition.id, bytes)));
        tasks.extend(ids.filter(|id| is_behind(*id, listing)));
        if read < most || tasks.len() >= limit {
            break;
        }
    }
    tasks.truncate(limit);
    Ok(tasks)
}

fn range(name: &str, key: &[u8], from: u64, to: u64) -> Cmd {
    let mut command = cmd(name);
    command.arg(key).arg(from).arg(to);
    command
}

fn count(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn is_behind(id: TaskId, listing: &Listing) -> bool {
    match (listing.after, listing.order) {
        (None, _) => true,
        (Some(after), Order::Oldest) => id > after,
        (Some(after), Order::Newest) => id < after,
    }
}

/// The first `limit` tasks of a workflow, whose size core limits.
async fn of_workflow(
    core: &Core,
    partition: &Partition,
    listing: &Listing,
    workflow: WorkflowId,
    limit: usize,
) -> Result<Vec<TaskId>, StoreError> {
    let is_filtered = listing.queue.is_some() || listing.status.is_some();
    let most = if is_filtered { REDIS_LOADS } else { limit };
    let mut after = listing.after;
    let mut tasks = Vec::new();
    loop {
        let members = members(core, partition, listing.order, workflow, after, most);
        let members = members.await.map_err(CallError::of_read)?;
        let (read, last) = (members.len(), members.last().copied());
        match is_filtered {
            true => tasks.extend(passing(core, partition, listing, members).await?),
            false => tasks.extend(members),
        }
        if read < most || tasks.len() >= limit {
            break;
        }
        after = last;
    }
    tasks.truncate(limit);
    Ok(tasks)
}

async fn members(
    core: &Core,
    partition: &Partition,
    order: Order,
    workflow: WorkflowId,
    after: Option<TaskId>,
    most: usize,
) -> Result<Vec<TaskId>, CallError> {
    let edge = |mark: &[u8], task| {
        let member = member::of_workflow(partition.id, workflow, task);
        [mark, member.as_ref()].concat()
    };
    let first = edge(b"[", None);
    // Longer than any member, and so behind all of them.
    let last = [edge(b"[", None), vec![0xff; size_of::<Member>()]].concat();
    let from = after.map(|after| edge(b"(", Some(after)));
    let mut command = match order {
        Order::Oldest => {
            let mut command = cmd("ZRANGEBYLEX");
            command.arg(partition.keys.members());
            command.arg(from.unwrap_or(first)).arg(last);
            command
        }
        Order::Newest => {
            let mut command = cmd("ZREVRANGEBYLEX");
            command.arg(partition.keys.members());
            command.arg(from.unwrap_or(last)).arg(first);
            command
        }
    };
    command.arg("LIMIT").arg(0).arg(count(most));
    let members = strings(core.link(partition).read(&command).await?)?;
    let (key, read) = (partition.keys.members(), member::read_of_workflow);
    let tasks = members
        .iter()
        .filter_map(|bytes| core.read(&key, bytes, read(partition.id, bytes)));
    Ok(tasks.collect())
}

/// Those of the tasks that the listing lets pass.
async fn passing(
    core: &Core,
    partition: &Partition,
    listing: &Listing,
    tasks: Vec<TaskId>,
) -> Result<Vec<TaskId>, StoreError> {
    let keys: Vec<_> = tasks.iter().map(|task| RecordKey::Task(*task)).collect();
    let loaded = store::readable(core, partition, &keys).await?;
    let passing = tasks.into_iter().zip(loaded).filter(|(_, loaded)| {
        let listed = loaded
            .as_ref()
            .and_then(|known| entries(&known.record).listed);
        listed.is_some_and(|listed| {
            listing.queue.as_ref().is_none_or(|q| q == listed.queue)
                && listing.status.is_none_or(|s| s == listed.status)
        })
    });
    Ok(passing.map(|(task, _)| task).collect())
}
