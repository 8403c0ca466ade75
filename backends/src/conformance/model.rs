//! A store that is so simple that it is right: it keeps records and searches through all.

use std::collections::BTreeMap;

use russet_core::{
    Lane, PartitionId, Record, RecordKey, Status, Task, TaskId, TimerKey, Timestamp, WorkflowId,
    entries,
};
use russet_engine::{
    Change, Due, Listing, Order, Outcome, QueueStats, Stats, Transaction, Versioned,
};

use super::fixtures::{create, lane, queue_name, remove, replace, task_of, workflow_of};
use super::world::World;

#[derive(Default)]
pub(super) struct Model {
    records: BTreeMap<(PartitionId, RecordKey), Versioned>,
}

impl Model {
    fn commit(&mut self, partition: PartitionId, transaction: &Transaction) -> Outcome {
        let current = |change: &Change| self.records.get(&(partition, change.key.clone()));
        let expected = transaction.changes.iter().all(|change| {
            let before = change.before.as_ref().map(|known| known.version);
            current(change).map(|known| known.version) == before
        });
        if !expected {
            return Outcome::Conflict;
        }
        for change in &transaction.changes {
            let key = (partition, change.key.clone());
            match &change.after {
                Some(record) => {
                    let version = transaction.version;
                    let record = record.clone();
                    self.records.insert(key, Versioned { version, record });
                }
                None => drop(self.records.remove(&key)),
            }
        }
        Outcome::Committed
    }

    fn tasks(&self) -> impl Iterator<Item = Task> {
        let records = self.records.values().map(|known| &known.record);
        records
            .filter(|record| matches!(record, Record::Task(_)))
            .map(task_of)
    }

    fn list(&self, listing: &Listing) -> Vec<TaskId> {
        let tasks = self.tasks().filter(|task| {
            let queue = listing.queue.as_ref().is_none_or(|q| *q == task.queue);
            let status = listing.status.is_none_or(|s| s == task.status);
            let flow = listing.workflow.is_none_or(|w| task.workflow == Some(w));
            queue && status && flow
        });
        let mut ids: Vec<TaskId> = tasks.map(|task| task.id).collect();
        ids.sort();
        if listing.order == Order::Newest {
            ids.reverse();
        }
        ids
    }

    fn due(&self, partition: PartitionId) -> Vec<Due> {
        let records = self.records.iter().filter(|((p, _), _)| *p == partition);
        let timers = records.filter_map(|((_, key), known)| {
            let at = entries(&known.record).timer?;
            let timer = match key {
                RecordKey::Task(id) => TimerKey::Task(*id),
                RecordKey::Outbox(id) => TimerKey::Outbox(*id),
                RecordKey::Workflow(id) => TimerKey::Workflow(*id),
                _ => return None,
            };
            Some(Due { at, timer })
        });
        let mut timers: Vec<Due> = timers.collect();
        timers.sort();
        timers
    }

    fn stats(&self) -> Vec<QueueStats> {
        let mut queues = BTreeMap::new();
        for task in self.tasks() {
            let counts = queues.entry(task.queue).or_insert([0; Status::ALL.len()]);
            counts[task.status as usize] += 1;
        }
        let queues = queues.into_iter().map(|(queue, by_status)| QueueStats {
            queue,
            by_status,
            oldest_ready_at: None,
        });
        queues.collect()
    }

    /// The ready tasks of a lane, in the order of their scores.
    pub(super) fn ready(&self, lane: &Lane) -> Vec<(i64, TaskId)> {
        let records = self.records.values();
        let ready = records.filter_map(|known| entries(&known.record).ready);
        let of_lane = ready.filter(|ready| ready.lane == *lane);
        let mut places: Vec<_> = of_lane.map(|ready| (ready.score, ready.task)).collect();
        places.sort();
        places
    }

    /// Asserts that the store says what the model says.
    pub(super) async fn check(&self, world: &World) {
        for ((partition, key), known) in &self.records {
            assert_eq!(world.load(*partition, key).await.as_ref(), Some(known));
        }
        for partition in (0..world.store.partitions()).map(PartitionId) {
            let mut due = world.due(partition, u64::MAX, usize::MAX).await;
            assert!(due.is_sorted_by_key(|due| due.at));
            due.sort();
            assert_eq!(due, self.due(partition));
        }
        let Stats { mut queues } = world.stats().await;
        queues.iter_mut().for_each(|q| q.oldest_ready_at = None);
        assert_eq!(queues, self.stats());
        for listing in self.listings() {
            assert_eq!(
                world.list(&listing).await,
                self.list(&listing),
                "{listing:?}"
            );
        }
    }

    fn listings(&self) -> Vec<Listing> {
        let flow = self.tasks().find_map(|task| task.workflow);
        let mut listings = Vec::new();
        for queue in [None, Some(queue_name("a")), Some(queue_name("b"))] {
            for status in [None, Some(Status::Queued), Some(Status::Succeeded)] {
                for workflow in [None, flow] {
                    let order = [Order::Oldest, Order::Newest][listings.len() % 2];
                    listings.push(Listing {
                        queue: queue.clone(),
                        status,
                        workflow,
                        after: None,
                        limit: 5,
                        order,
                    });
                }
            }
        }
        listings
    }

    /// Commits random batches to the store and to the model: a few tasks are made, changed,
    /// moved and removed over and over, some with versions that are not current.
    pub(super) async fn disturb(&mut self, world: &World, batches: usize) {
        let flow = workflow_of(&world.task(PartitionId(0)));
        for _ in 0..batches {
            let partitions = u64::from(world.store.partitions());
            let partition = PartitionId(world.below(partitions) as u16);
            let mut batch: Vec<Transaction> = Vec::new();
            for _ in 0..world.below(4) {
                let changes = self.random_changes(world, partition, flow, &batch);
                batch.push(world.transaction(changes));
            }
            let expected: Vec<_> = batch.iter().map(|t| self.commit(partition, t)).collect();
            assert_eq!(world.commit(partition, batch).await, expected);
        }
    }

    /// Changes of up to three tasks that nothing before in the batch changes.
    fn random_changes(
        &self,
        world: &World,
        partition: PartitionId,
        flow: WorkflowId,
        batch: &[Transaction],
    ) -> Vec<Change> {
        let changed = |key: &RecordKey| {
            let mut changes = batch.iter().flat_map(|t| &t.changes);
            changes.any(|change| change.key == *key)
        };
        let known = self.records.iter().filter(|((p, key), _)| {
            *p == partition && matches!(key, RecordKey::Task(_)) && !changed(key)
        });
        let mut known: Vec<_> = known.collect();
        let mut changes = Vec::new();
        for _ in 0..1 + world.below(3) {
            if known.len() < 10 || world.below(3) == 0 {
                let mut task = world.task(partition);
                task.workflow = (world.below(2) == 0).then_some(flow);
                change_at_random(world, &mut task);
                changes.push(create(&task));
                continue;
            }
            let ((_, key), before) = known.swap_remove(world.below(known.len() as u64) as usize);
            let mut before = before.clone();
            if world.below(8) == 0 {
                before.version.0 ^= 1;
            }
            if world.below(4) == 0 {
                changes.push(remove(key.clone(), before));
            } else {
                let mut task = task_of(&before.record);
                change_at_random(world, &mut task);
                changes.push(replace(before, &task));
            }
        }
        changes
    }
}

fn change_at_random(world: &World, task: &mut Task) {
    if world.below(2) == 0 {
        task.queue = queue_name(["a", "b"][world.below(2) as usize]);
    }
    if world.below(2) == 0 {
        task.status = Status::ALL[world.below(7) as usize];
    }
    if world.below(2) == 0 {
        task.score = world.below(20) as i64 - 10;
    }
    let due = Timestamp::from_millis(world.below(50));
    task.due_at = (world.below(3) > 0).then_some(due);
    task.attempt += 1;
}

/// The lanes in which tasks of [`Model::disturb`] become ready.
pub(super) fn lanes() -> [Lane; 3] {
    ["a", "b", "emails"].map(lane)
}
