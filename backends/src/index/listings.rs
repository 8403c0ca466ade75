use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use russet_core::{Listed, QueueName, Status, TaskId, WorkflowId};
use russet_engine::{Listing, Order};

use super::keys::Member;
use super::sorted::Sorted;

/// Tasks of one partition by queue and status, and by workflow. The sizes of the sets are
/// the counters of [`russet_engine::Stats`].
#[derive(Debug, Default)]
pub(crate) struct Listings {
    numbers: BTreeMap<QueueName, u32>,
    queues: Vec<Queue>,
    free: Vec<u32>,
    workflows: BTreeMap<WorkflowId, Sorted<Member>>,
}

#[derive(Debug, Default)]
struct Queue {
    tasks: usize,
    by_status: [Sorted<TaskId>; Status::ALL.len()],
}

impl Listings {
    pub(crate) fn insert(&mut self, task: TaskId, listed: &Listed<'_>) {
        let number = self.number(listed.queue);
        let queue = &mut self.queues[number as usize];
        if queue.by_status[listed.status as usize].insert(task) {
            queue.tasks += 1;
        }
        if let Some(workflow) = listed.workflow {
            let members = self.workflows.entry(workflow).or_default();
            members.insert(member(task, number, listed.status));
        }
    }

    pub(crate) fn remove(&mut self, task: TaskId, listed: &Listed<'_>) {
        let Some(&number) = self.numbers.get(listed.queue) else {
            return;
        };
        if let Some(workflow) = listed.workflow
            && let Some(members) = self.workflows.get_mut(&workflow)
        {
            members.remove(member(task, number, listed.status));
            if members.is_empty() {
                self.workflows.remove(&workflow);
            }
        }
        let queue = &mut self.queues[number as usize];
        if queue.by_status[listed.status as usize].remove(task) {
            queue.tasks -= 1;
        }
    }

    /// Frees the room of a queue that has no task any more.
    pub(crate) fn forget_if_empty(&mut self, name: &QueueName) {
        if let Some(&number) = self.numbers.get(name)
            && self.queues[number as usize].tasks == 0
        {
            self.numbers.remove(name);
            self.queues[number as usize] = Queue::default();
            self.free.push(number);
        }
    }

    /// The first `limit` tasks of the listing, up to and without `bound` when there is one.
    pub(crate) fn page(
        &self,
        listing: &Listing,
        limit: usize,
        bound: Option<TaskId>,
    ) -> Vec<TaskId> {
        let within = |id: &TaskId| match (bound, listing.order) {
            (None, _) => true,
            (Some(bound), Order::Oldest) => *id < bound,
            (Some(bound), Order::Newest) => *id > bound,
        };
        let ids: Box<dyn Iterator<Item = TaskId> + '_> = match listing.workflow {
            Some(workflow) => self.members(workflow, listing),
            None => self.merged(listing),
        };
        ids.take_while(within).take(limit).collect()
    }

    /// How many tasks each queue has, by name and status.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&QueueName, [u64; Status::ALL.len()])> {
        self.numbers.iter().map(|(name, number)| {
            let sets = &self.queues[*number as usize].by_status;
            (name, std::array::from_fn(|n| sets[n].len() as u64))
        })
    }

    fn number(&mut self, name: &QueueName) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.queues.push(Queue::default());
            self.queues.len() as u32 - 1
        });
        self.numbers.insert(name.clone(), number);
        number
    }

    fn members(
        &self,
        workflow: WorkflowId,
        listing: &Listing,
    ) -> Box<dyn Iterator<Item = TaskId> + '_> {
        let queue = match &listing.queue {
            Some(name) => match self.numbers.get(name) {
                Some(number) => Some(*number),
                None => return Box::new(std::iter::empty()),
            },
            None => None,
        };
        let Some(members) = self.workflows.get(&workflow) else {
            return Box::new(std::iter::empty());
        };
        let edge = |status, number| {
            listing.after.map(|task| Member {
                task,
                queue: number,
                status,
            })
        };
        let members = match listing.order {
            Order::Oldest => members.ascending(edge(Status::Cancelled, u32::MAX)),
            Order::Newest => members.descending(edge(Status::Blocked, 0)),
        };
        let status = listing.status;
        let passes = move |member: &Member| {
            queue.is_none_or(|queue| queue == member.queue)
                && status.is_none_or(|status| status == member.status)
        };
        Box::new(members.filter(passes).map(|member| member.task))
    }

    fn merged(&self, listing: &Listing) -> Box<dyn Iterator<Item = TaskId> + '_> {
        let numbers: Vec<u32> = match &listing.queue {
            Some(name) => self.numbers.get(name).copied().into_iter().collect(),
            None => self.numbers.values().copied().collect(),
        };
        let mut sets = Vec::new();
        for number in numbers {
            let of_queue = &self.queues[number as usize].by_status;
            sets.extend(Status::ALL.into_iter().filter_map(|status| {
                let wanted = listing.status.is_none_or(|wanted| wanted == status);
                let set = &of_queue[status as usize];
                (wanted && !set.is_empty()).then_some(set)
            }));
        }
        match listing.order {
            Order::Oldest => {
                let parts = sets
                    .iter()
                    .map(|set| set.ascending(listing.after).map(Reverse));
                Box::new(merge(parts.collect()).map(|Reverse(id)| id))
            }
            Order::Newest => {
                let parts = sets.iter().map(|set| set.descending(listing.after));
                Box::new(merge(parts.collect()))
            }
        }
    }
}

fn member(task: TaskId, queue: u32, status: Status) -> Member {
    Member {
        task,
        queue,
        status,
    }
}

/// Merges iterators that each yield their greatest item first.
fn merge<T: Ord + Copy, I: Iterator<Item = T>>(mut parts: Vec<I>) -> impl Iterator<Item = T> {
    let mut heads: BinaryHeap<(T, usize)> = BinaryHeap::with_capacity(parts.len());
    for (number, part) in parts.iter_mut().enumerate() {
        heads.extend(part.next().map(|item| (item, number)));
    }
    std::iter::from_fn(move || {
        let (item, number) = heads.pop()?;
        heads.extend(parts[number].next().map(|next| (next, number)));
        Some(item)
    })
}
