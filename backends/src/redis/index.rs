//! What transactions change in the indexes, as the commit script takes it.

use std::collections::BTreeMap;
use std::fmt::Display;

use russet_core::planted;
use russet_core::{
    Entries, Lane, PartitionId, QueueName, Record, RecordKey, TaskId, TimerKey, WorkflowId, entries,
};
use russet_engine::Change;

use super::keys::Keys;
use super::member::{self, Member};
use super::writer::{Members, Writer};
use crate::index::keys::Place;

/// What changes in the indexes.
pub(crate) struct Index<'a> {
    partition: PartitionId,
    timers: Moves<u64, Member>,
    members: Moves<u64, Member>,
    configured: Members<&'a str>,
    deconfigured: Members<&'a str>,
    queues: BTreeMap<&'a QueueName, Moves<u64, Member>>,
    lanes: BTreeMap<Lane, Moves<f64, Member>>,
}

/// What goes into a set, each with its score, and what goes out.
struct Moves<S, M> {
    added: Members<M>,
    scores: Vec<S>,
    removed: Members<M>,
}

impl<S, M> Default for Moves<S, M> {
    fn default() -> Self {
        Self {
            added: Members::default(),
            scores: Vec::new(),
            removed: Members::default(),
        }
    }
}

impl<S: Display + PartialEq, M: AsRef<[u8]>> Moves<S, M> {
    /// `field` is the number of the member among the fields of the call, if it is one.
    fn add(&mut self, score: S, member: M, field: Option<usize>) {
        self.added.push(member, field);
        self.scores.push(score);
    }

    fn remove(&mut self, member: M, field: Option<usize>) {
        self.removed.push(member, field);
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Writes both, by the names of their instructions.
    fn write(&self, [into, out]: [&str; 2], number: usize, name: &[u8], writer: &mut Writer) {
        writer.instruction(out, number, name, &self.removed);
        writer.scored(into, number, name, &self.added, &self.scores);
    }
}

impl<'a> Index<'a> {
    pub(crate) fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            timers: Moves::default(),
            members: Moves::default(),
            configured: Members::default(),
            deconfigured: Members::default(),
            queues: BTreeMap::new(),
            lanes: BTreeMap::new(),
        }
    }

    /// Takes in a change, whose record has the `number`th field of the call.
    pub(crate) fn replace(&mut self, change: &'a Change, number: usize) {
        let before = change.before.as_ref().map(|known| entries(&known.record));
        let before = before.unwrap_or_default();
        let after = change.after.as_ref().map(entries).unwrap_or_default();
        let is_own = |task: TaskId| task.partition() == self.partition;
        let field = match &change.key {
            RecordKey::Task(task) if is_own(*task) => Some(number),
            _ => None,
        };
        self.replace_timer(&change.key, field, &before, &after);
        match &change.key {
            RecordKey::Task(task) => self.replace_task(*task, field, &before, &after),
            RecordKey::Queue(queue) => self.configure(queue, change.after.as_ref()),
            _ => {}
        }
        if before.ready != after.ready {
            if let Some(ready) = before.ready {
                let place = member::place(self.partition, place(ready.score, ready.task));
                self.lanes
                    .entry(ready.lane)
                    .or_default()
                    .remove(place, None);
            }
            if let Some(ready) = after.ready {
                let place = member::place(self.partition, place(ready.score, ready.task));
                let lane = self.lanes.entry(ready.lane).or_default();
                lane.add(ready.score as f64, place, None);
            }
        }
    }

    fn replace_timer(
        &mut self,
        key: &RecordKey,
        field: Option<usize>,
        before: &Entries<'_>,
        after: &Entries<'_>,
    ) {
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
            Some(at) => self.timers.add(member::timer_score(at), member, field),
            None if planted!(RedisTimerStays) => {}
            None => self.timers.remove(member, field),
        }
    }

    fn replace_task(
        &mut self,
        task: TaskId,
        field: Option<usize>,
        before: &Entries<'a>,
        after: &Entries<'a>,
    ) {
        let (before, after) = (before.listed.as_ref(), after.listed.as_ref());
        if before == after {
            return;
        }
        let member = member::task(self.partition, task);
        let queue = before.map(|listed| listed.queue);
        if let Some(queue) = queue.filter(|queue| after.is_none_or(|now| now.queue != *queue)) {
            self.queues.entry(queue).or_default().remove(member, field);
        }
        if let Some(listed) = after {
            let score = member::listed_score(listed.status, task);
            let queue = self.queues.entry(listed.queue).or_default();
            queue.add(score, member, field);
        }
        let partition = self.partition;
        let of = |workflow: WorkflowId| member::of_workflow(partition, workflow, Some(task));
        let [old, new] = [before, after].map(|listed| listed.and_then(|l| l.workflow));
        if old != new {
            if let Some(old) = old {
                self.members.remove(of(old), None);
            }
            if let Some(new) = new {
                self.members.add(0, of(new), None);
            }
        }
    }

    fn configure(&mut self, queue: &'a QueueName, after: Option<&Record>) {
        let name = queue.as_str();
        match after {
            Some(_) => self.configured.push(name, None),
            None => self.deconfigured.push(name, None),
        }
    }

    /// Writes all instructions, what goes out first; returns the lanes in which tasks arrive.
    pub(crate) fn write(self, keys: &Keys, writer: &mut Writer) -> Vec<Lane> {
        const SORTED: [&str; 2] = ["insert", "delete"];
        for (name, moves) in [(keys.timers(), self.timers), (keys.members(), self.members)] {
            if !moves.is_empty() {
                let number = writer.name(name);
                moves.write(SORTED, number, b"", writer);
            }
        }
        if !self.configured.is_empty() || !self.deconfigured.is_empty() {
            let number = writer.name(keys.configured());
            writer.instruction("forget", number, b"", &self.deconfigured);
            writer.instruction("name", number, b"", &self.configured);
        }
        for (queue, moves) in &self.queues {
            let number = writer.name(keys.queue(queue));
            moves.write(
                ["list", "unlist"],
                number,
                queue.as_str().as_bytes(),
                writer,
            );
        }
        let mut arrivals = Vec::new();
        for (lane, moves) in self.lanes {
            let [ready, hidden] = keys.lane(&lane);
            let number = writer.name(ready);
            writer.name(hidden);
            let name = keys.arrival(&lane);
            moves.write(["announce", "withdraw"], number, &name, writer);
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
