//! What transactions change in the indexes, as the commit script takes it.

use std::collections::BTreeMap;

use russet_core::planted;
use russet_core::{
    Entries, Lane, PartitionId, QueueName, Record, RecordKey, TaskId, TimerKey, WorkflowId, entries,
};
use russet_engine::Change;

use super::keys::Keys;
use super::member::{self, Member};
use super::writer::Writer;
use crate::index::keys::Place;

/// What changes in the indexes.
pub(crate) struct Index<'a> {
    partition: PartitionId,
    timers: Moves<u64, Member>,
    members: Moves<u64, Member>,
    configured: Moves<(), &'a QueueName>,
    queues: BTreeMap<&'a QueueName, Moves<u64, Member>>,
    lanes: BTreeMap<Lane, Moves<f64, Member>>,
}

/// What goes into a set, each with its score, and what goes out.
struct Moves<S, M> {
    added: Vec<(S, M)>,
    removed: Vec<M>,
}

impl<S, M> Default for Moves<S, M> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<S: std::fmt::Display, M: AsRef<[u8]>> Moves<S, M> {
    fn write(&self, name: Vec<u8>, writer: &mut Writer) {
        if self.added.is_empty() && self.removed.is_empty() {
            return;
        }
        let number = writer.name(name);
        writer.instruction("delete", number, b"", &self.removed);
        writer.scored("insert", number, b"", &self.added);
    }
}

impl<'a> Index<'a> {
    pub(crate) fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            timers: Moves::default(),
            members: Moves::default(),
            configured: Moves::default(),
            queues: BTreeMap::new(),
            lanes: BTreeMap::new(),
        }
    }

    pub(crate) fn replace(&mut self, change: &'a Change) {
        let before = change.before.as_ref().map(|known| entries(&known.record));
        let before = before.unwrap_or_default();
        let after = change.after.as_ref().map(entries).unwrap_or_default();
        self.replace_timer(&change.key, &before, &after);
        match &change.key {
            RecordKey::Task(task) => self.replace_task(*task, &before, &after),
            RecordKey::Queue(queue) => self.configure(queue, change.after.as_ref()),
            _ => {}
        }
        if before.ready != after.ready {
            if let Some(ready) = before.ready {
                let place = place(ready.score, ready.task);
                let lane = self.lanes.entry(ready.lane).or_default();
                lane.removed.push(member::place(self.partition, place));
            }
            if let Some(ready) = after.ready {
                let place = place(ready.score, ready.task);
                let lane = self.lanes.entry(ready.lane).or_default();
                lane.added
                    .push((place.score as f64, member::place(self.partition, place)));
            }
        }
    }

    fn replace_timer(&mut self, key: &RecordKey, before: &Entries<'_>, after: &Entries<'_>) {
        let timer = match key {
            RecordKey::Task(task) => TimerKey::Task(*task),
            RecordKey::Outbox(message) => TimerKey::Outbox(*message),
            RecordKey::Workflow(workflow) => TimerKey::Workflow(*workflow),
            _ => return,
        };
        if before.timer == after.timer {
            return;
        }
        let member = member::timer(self.partition, timer);
        match after.timer {
            Some(at) => self.timers.added.push((member::timer_score(at), member)),
            None if planted!(RedisTimerStays) => {}
            None => self.timers.removed.push(member),
        }
    }

    fn replace_task(&mut self, task: TaskId, before: &Entries<'a>, after: &Entries<'a>) {
        let (before, after) = (before.listed.as_ref(), after.listed.as_ref());
        if before == after {
            return;
        }
        let queue = before.map(|listed| listed.queue);
        if let Some(queue) = queue.filter(|queue| after.is_none_or(|now| now.queue != *queue)) {
            let moves = self.queues.entry(queue).or_default();
            moves.removed.push(member::task(self.partition, task));
        }
        if let Some(listed) = after {
            let score = member::listed_score(listed.status, task);
            let moves = self.queues.entry(listed.queue).or_default();
            moves
                .added
                .push((score, member::task(self.partition, task)));
        }
        let partition = self.partition;
        let of = |workflow: WorkflowId| member::of_workflow(partition, workflow, Some(task));
        let [old, new] = [before, after].map(|listed| listed.and_then(|l| l.workflow));
        if old != new {
            self.members.removed.extend(old.map(of));
            self.members.added.extend(new.map(|new| (0, of(new))));
        }
    }

    fn configure(&mut self, queue: &'a QueueName, after: Option<&Record>) {
        match after {
            Some(_) => self.configured.added.push(((), queue)),
            None => self.configured.removed.push(queue),
        }
    }

    /// Writes all instructions, what goes out first; returns the lanes in which tasks arrive.
    pub(crate) fn write(self, keys: &Keys, writer: &mut Writer) -> Vec<Lane> {
        self.timers.write(keys.timers(), writer);
        self.members.write(keys.members(), writer);
        let configured = &self.configured;
        if !configured.added.is_empty() || !configured.removed.is_empty() {
            let number = writer.name(keys.configured());
            let removed = configured.removed.iter().map(|name| name.as_str());
            writer.instruction("forget", number, b"", removed);
            let added = configured.added.iter().map(|(_, name)| name.as_str());
            writer.instruction("name", number, b"", added);
        }
        for (queue, moves) in &self.queues {
            let number = writer.name(keys.queue(queue));
            let name = queue.as_str().as_bytes();
            writer.instruction("unlist", number, name, &moves.removed);
            writer.scored("list", number, name, &moves.added);
        }
        let mut arrivals = Vec::new();
        for (lane, moves) in self.lanes {
            let [ready, hidden] = keys.lane(&lane);
            let number = writer.name(ready);
            writer.name(hidden);
            let name = keys.arrival(&lane);
            writer.instruction("withdraw", number, &name, &moves.removed);
            writer.scored("announce", number, &name, &moves.added);
            if !moves.added.is_empty() {
                arrivals.push(lane);
            }
        }
        arrivals
    }
}

fn place(score: i64, task: TaskId) -> Place {
    Place { score, task }
}
