//! Children and their parent in two partitions, either of which may forget its newest writes.

use bytes::Bytes;
use proptest::prelude::*;
use russet_core::command::{Acknowledge, Cancel, Complete, Deliver, Fire, LeaseTask};
use russet_core::{
    Command, Dependency, DependencyOn, Epoch, LeaseId, Message, NewTask, PartitionId, QueueName,
    Record, RecordKey, Reply, Status, Submit, TaskId, TaskType, TimerKey, Timestamp, View,
    WorkerId, entries,
};

use crate::store::Partition;

/// More rounds than messages and timers need to bring the news.
const MOST_ROUNDS: usize = 30;
/// And to forget all.
const MOST_ROUNDS_TO_THE_END: usize = 200;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The messages on their way arrive.
    Arrive,
    /// They are lost.
    Lose,
    /// The parent is done.
    Finish,
    /// The children are cancelled.
    Cancel,
    /// Time goes by until something is due.
    Wait,
    /// The replica of a partition catches up.
    Copy(usize),
    /// It takes over, with what it has.
    Forget(usize),
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Arrive),
        1 => Just(Step::Lose),
        1 => Just(Step::Finish),
        2 => Just(Step::Wait),
        2 => (0usize..2).prop_map(Step::Copy),
        1 => (0usize..2).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..40)
}

/// As [`steps`], and the children may be cancelled.
pub fn steps_to_the_end() -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![9 => steps(), 1 => Just(vec![Step::Cancel])];
    prop::collection::vec(some, 1..4).prop_map(|parts| parts.concat())
}

/// Goes through the steps; in the end nothing is kept any more of a parent and so many children.
pub fn play_to_the_end(steps: &[Step], children: u64) {
    let mut world = World::new(children);
    world.is_purged = true;
    for step in steps {
        world.take(*step);
    }
    for _ in 0..MOST_ROUNDS_TO_THE_END {
        world.arrive();
        world.finish(world.parent);
        for child in world.children.clone() {
            world.finish(child);
        }
        if world
            .partitions
            .iter()
            .all(|stored| stored.records.is_empty())
        {
            return;
        }
        world.wait();
    }
    let left = world.partitions.map(|stored| stored.records);
    panic!("bounded: these are never purged: {left:?}");
}

/// Goes through the steps; in the end the child hears that its parent is done.
pub fn play(steps: &[Step]) {
    let mut world = World::new(1);
    for step in steps {
        world.take(*step);
    }
    for _ in 0..MOST_ROUNDS {
        world.arrive();
        world.finish(world.parent);
        if world.status(world.children[0]) == Some(Status::Queued) {
            return;
        }
        world.wait();
    }
    panic!("no-loss: the child waits for ever for a parent that is done");
}

struct World {
    now: Timestamp,
    partitions: [Partition; 2],
    copies: [Records; 2],
    epochs: [u64; 2],
    flight: Vec<Message>,
    parent: TaskId,
    children: Vec<TaskId>,
    grants: u128,
    /// Retention ends too.
    is_purged: bool,
}

type Records = std::collections::BTreeMap<RecordKey, Record>;

impl World {
    fn new(children: u64) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let id = |at: u16, number: u64| TaskId::new(now, PartitionId(at), number);
        let parent = id(0, 1);
        let children: Vec<_> = (1..=children).map(|number| id(1, number)).collect();
        let mut world = Self {
            now,
            partitions: [0, 1].map(|at| partition(at, 0)),
            copies: Default::default(),
            epochs: [0, 0],
            flight: Vec::new(),
            parent,
            children: children.clone(),
            grants: 0,
            is_purged: false,
        };
        let edge = Dependency {
            task: parent,
            on: DependencyOn::Success,
        };
        world.submit(parent, Vec::new());
        for child in children {
            world.submit(child, vec![edge]);
        }
        world.take(Step::Copy(0));
        world.take(Step::Copy(1));
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Arrive => self.arrive(),
            Step::Lose => self.flight.clear(),
            Step::Finish => self.finish(self.parent),
            Step::Cancel => self.cancel(),
            Step::Wait => self.wait(),
            Step::Copy(at) => self.copies[at].clone_from(&self.partitions[at].records),
            Step::Forget(at) => {
                self.epochs[at] += 1;
                self.partitions[at] = partition(at as u16, self.epochs[at]);
                self.partitions[at].records.clone_from(&self.copies[at]);
            }
        }
    }

    fn submit(&mut self, id: TaskId, dependencies: Vec<Dependency>) {
        let kind = TaskType::new("report").expect("a type");
        let queue = QueueName::new("reports").expect("a name");
        let task = NewTask {
            dependencies,
            ..NewTask::new(id, kind, queue, Bytes::new())
        };
        let submit = Submit {
            workflow: None,
            tasks: vec![task],
        };
        self.run(id.partition(), &Command::Submit(submit));
    }

    fn arrive(&mut self) {
        for message in std::mem::take(&mut self.flight) {
            let source = message.source();
            let epoch = Epoch(self.epochs[usize::from(source.0)]);
            self.run(message.target(), &Command::Deliver(Deliver { message }));
            let done = Acknowledge {
                message: message.id(),
                epoch,
            };
            self.run(source, &Command::Acknowledge(done));
        }
    }

    fn cancel(&mut self) {
        for task in self.children.clone() {
            if self.status(task) == Some(Status::Blocked) {
                let cancel = Command::Cancel(Cancel { task, reason: None });
                self.run(task.partition(), &cancel);
            }
        }
    }

    fn finish(&mut self, task: TaskId) {
        if self.status(task) != Some(Status::Queued) {
            return;
        }
        self.grants += 1;
        let lease = LeaseId::from_u128(self.grants);
        let grant = LeaseTask {
            task,
            lease,
            worker: WorkerId("worker".into()),
            duration: None,
        };
        self.run(task.partition(), &Command::Lease(grant));
        let complete = Complete {
            task,
            lease,
            result: None,
            follow_ups: Vec::new(),
            progress: None,
        };
        self.run(task.partition(), &Command::Complete(complete));
    }

    /// Waits for the next timer of all, and fires those that are due then.
    fn wait(&mut self) {
        let timers = self.timers();
        let Some((first, ..)) = timers.iter().min() else {
            return;
        };
        self.now = self.now.max(*first);
        for (due, at, timer) in timers {
            if due <= self.now {
                let fire = Fire { timer, random: 0 };
                self.run(at, &Command::Fire(fire));
            }
        }
    }

    /// The timers of what has ended are far away, unless all is to be purged.
    fn timers(&self) -> Vec<(Timestamp, PartitionId, TimerKey)> {
        let mut timers = Vec::new();
        for (at, partition) in self.partitions.iter().enumerate() {
            for record in partition.records.values() {
                let key = match record {
                    Record::Task(task) if self.is_purged || task.purge_at.is_none() => {
                        TimerKey::Task(task.id)
                    }
                    Record::Outbox(outbox) => TimerKey::Outbox(outbox.message.id()),
                    _ => continue,
                };
                let due = entries(record).timer;
                timers.extend(due.map(|due| (due, PartitionId(at as u16), key)));
            }
        }
        timers
    }

    fn run(&mut self, at: PartitionId, command: &Command) {
        let partition = &mut self.partitions[usize::from(at.0)];
        let (_, decision) = partition.decide(command, self.now);
        let decision = decision.expect("it is allowed");
        partition.commit(&decision);
        self.flight.extend(&decision.messages);
        if let Reply::Fired { relay, .. } = decision.reply {
            self.flight.extend(relay);
        }
    }

    fn status(&self, id: TaskId) -> Option<Status> {
        let home = &self.partitions[usize::from(id.partition().0)];
        home.task(id).map(|task| task.status)
    }
}

fn partition(at: u16, epoch: u64) -> Partition {
    Partition::new(View {
        partition: PartitionId(at),
        partitions: Some(2),
        epoch: Epoch(epoch),
        ..View::default()
    })
}
