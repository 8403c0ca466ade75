//! A child and its parent in two partitions, either of which may forget its newest writes.

use bytes::Bytes;
use proptest::prelude::*;
use russet_core::command::{Acknowledge, Complete, Deliver, Fire, LeaseTask};
use russet_core::{
    Command, Dependency, DependencyOn, Epoch, LeaseId, Message, NewTask, PartitionId, QueueName,
    Record, RecordKey, Reply, Status, Submit, TaskId, TaskType, TimerKey, Timestamp, View,
    WorkerId, entries,
};

use crate::store::Partition;

/// More rounds than messages and timers need to bring the news.
const MOST_ROUNDS: usize = 30;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The messages on their way arrive.
    Arrive,
    /// They are lost.
    Lose,
    /// The parent is done.
    Finish,
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

/// Goes through the steps; in the end the child hears that its parent is done.
pub fn play(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.take(*step);
    }
    for _ in 0..MOST_ROUNDS {
        world.arrive();
        world.finish();
        if world.status(world.child) == Some(Status::Queued) {
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
    child: TaskId,
    grants: u128,
}

type Records = std::collections::BTreeMap<RecordKey, Record>;

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let [parent, child] = [0, 1].map(|at| TaskId::new(now, PartitionId(at), 1));
        let mut world = Self {
            now,
            partitions: [0, 1].map(|at| partition(at, 0)),
            copies: Default::default(),
            epochs: [0, 0],
            flight: Vec::new(),
            parent,
            child,
            grants: 0,
        };
        let edge = Dependency {
            task: parent,
            on: DependencyOn::Success,
        };
        world.submit(parent, Vec::new());
        world.submit(child, vec![edge]);
        world.take(Step::Copy(0));
        world.take(Step::Copy(1));
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Arrive => self.arrive(),
            Step::Lose => self.flight.clear(),
            Step::Finish => self.finish(),
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

    fn finish(&mut self) {
        if self.status(self.parent) != Some(Status::Queued) {
            return;
        }
        self.grants += 1;
        let (task, lease) = (self.parent, LeaseId::from_u128(self.grants));
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

    /// The parent is kept: its retention is longer than all of this.
    fn timers(&self) -> Vec<(Timestamp, PartitionId, TimerKey)> {
        let mut timers = Vec::new();
        for (at, partition) in self.partitions.iter().enumerate() {
            for record in partition.records.values() {
                let key = match record {
                    Record::Task(task) if task.purge_at.is_none() => TimerKey::Task(task.id),
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
