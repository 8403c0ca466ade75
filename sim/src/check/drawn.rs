//! Histories that the real rules have made of random commands: no checker may object to them.

mod answer;
mod commands;
mod reports;

use std::collections::{BTreeMap, VecDeque};

use russet::wire::SubmitTask;
use russet_core::{
    Acknowledge, Command, Configure, Deliver, Epoch, Fire, LeaseId, Message, PartitionId,
    QueueName, QueuePatch, Record, RecordKey, Rejection, Reply, Task, TaskId, TimerKey, Undecided,
    View, decide, timer,
};
use russet_engine::Entropy;

use super::sample::{Sample, id as sample_id};
use super::{all, show};
use crate::history::{Actor, Answer, Ask, CallId, Granted, What};
use crate::plan::Random;
use answer::answer;

const PARTITIONS: u16 = 2;
const STEPS: usize = 400;

/// What was asked, as the rules take it.
struct Asked {
    call: CallId,
    command: Command,
}

/// Random commands, decided by the real rules.
struct Drawn {
    sample: Sample,
    random: Random,
    views: Vec<View>,
    /// Leases that were granted, with the task and the worker.
    held: Vec<(TaskId, LeaseId, Actor)>,
    submitted: Vec<SubmitTask>,
    follow_ups: BTreeMap<LeaseId, Vec<SubmitTask>>,
    late: VecDeque<(CallId, Answer)>,
    messages: Vec<Message>,
    next: u64,
}

impl Drawn {
    fn new(seed: u64) -> Self {
        let view = |partition| View {
            partition: PartitionId(partition),
            partitions: Some(PARTITIONS),
            split: seed.is_multiple_of(4),
            ..View::default()
        };
        let mut sample = Sample::new();
        sample.plan.partitions = PARTITIONS;
        sample.plan.split = seed.is_multiple_of(4);
        Self {
            sample,
            random: Random::new(seed, 9),
            views: (0..PARTITIONS).map(view).collect(),
            held: Vec::new(),
            submitted: Vec::new(),
            follow_ups: BTreeMap::new(),
            late: VecDeque::new(),
            messages: Vec::new(),
            next: 0,
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.sample.now_ms += self.random.within(0..300);
            self.fire();
            let partition = PartitionId(self.random.within(0..u64::from(PARTITIONS)) as u16);
            let count = *self.random.one_of(&[1, 1, 1, 2, 3]);
            let asked: Vec<_> = (0..count).filter_map(|_| self.ask(partition)).collect();
            self.decide(partition, asked);
            self.answer_late(self.random.within(0..4) as usize);
        }
        self.drain();
        self.answer_late(usize::MAX);
    }

    /// Lets everything end.
    fn drain(&mut self) {
        for partition in (0..PARTITIONS).map(PartitionId) {
            let resumed = QueuePatch {
                paused: Some(false),
                concurrency: Some(None),
                ..QueuePatch::default()
            };
            let queue = queue(0);
            let command = Command::Configure(Configure {
                queue,
                patch: resumed,
            });
            self.decide_alone(partition, command);
        }
        for _ in 0..2_000 {
            self.sample.now_ms += 200;
            self.fire();
            for partition in (0..PARTITIONS).map(PartitionId) {
                for _ in 0..4 {
                    let Some(asked) = self.lease(partition) else {
                        break;
                    };
                    self.decide(partition, vec![asked]);
                }
            }
            self.answer_late(usize::MAX);
            for (task, lease, worker) in std::mem::take(&mut self.held) {
                let follow_ups = self.follow_ups.entry(lease).or_default().clone();
                let new = follow_ups
                    .iter()
                    .filter_map(|new| Some(self.new_task(new, new.id?)));
                let complete = self.complete(task, lease, new.collect());
                let ask = Ask::Complete {
                    task,
                    lease,
                    follow_ups,
                };
                let asked = self.send(worker, ask, complete);
                self.decide(task.partition(), vec![asked]);
            }
            if self.tasks().all(|task| task.status.is_terminal()) && self.messages.is_empty() {
                return;
            }
        }
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.sample
            .records
            .values()
            .filter_map(|record| match record {
                Record::Task(task) => Some(&**task),
                _ => None,
            })
    }

    /// Fires what is due, and carries messages.
    fn fire(&mut self) {
        let now = self.sample.clock();
        let due = self
            .sample
            .records
            .iter()
            .filter(|(_, r)| timer(r).is_some_and(|at| at <= now));
        let due = due.filter_map(|((partition, key), _)| match key {
            RecordKey::Task(id) => Some((*partition, TimerKey::Task(*id))),
            RecordKey::Outbox(id) => Some((*partition, TimerKey::Outbox(*id))),
            _ => None,
        });
        for (partition, timer) in due.collect::<Vec<_>>() {
            let random = self.random.next_u64();
            self.decide_alone(partition, Command::Fire(Fire { timer, random }));
        }
        for message in std::mem::take(&mut self.messages) {
            self.decide_alone(message.target(), Command::Deliver(Deliver { message }));
            let acknowledge = Acknowledge {
                message: message.id(),
                epoch: Epoch::default(),
            };
            self.decide_alone(message.source(), Command::Acknowledge(acknowledge));
        }
    }

    fn decide_alone(&mut self, partition: PartitionId, command: Command) {
        let _ = self.decide_all(partition, vec![command]);
    }

    /// Decides together, commits together, and answers at once, late or never.
    fn decide(&mut self, partition: PartitionId, asked: Vec<Asked>) {
        let (calls, commands): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .map(|asked| (asked.call, asked.command))
            .unzip();
        let replies = self.decide_all(partition, commands);
        for (call, (command, reply)) in calls.into_iter().zip(replies) {
            let answer = answer(&command, reply);
            match self.random.within(0..10) {
                0 => self.late.push_back((call, Answer::Lost)),
                1..4 => self.late.push_back((call, answer)),
                _ => self.give(call, answer),
            }
        }
    }

    fn decide_all(
        &mut self,
        partition: PartitionId,
        commands: Vec<Command>,
    ) -> Vec<(Command, Result<Reply, Rejection>)> {
        let now = self.sample.clock();
        let view = &mut self.views[usize::from(partition.0)];
        let mut writes: BTreeMap<RecordKey, Option<Record>> = BTreeMap::new();
        let mut replies = Vec::new();
        for command in commands {
            let reply = loop {
                match decide(view, &command, now) {
                    Ok(decision) => {
                        view.apply(&decision.writes);
                        writes.extend(decision.writes.into_iter().map(|w| (w.key, w.record)));
                        self.messages.extend(decision.messages);
                        if let Reply::Fired {
                            relay: Some(message),
                            ..
                        } = &decision.reply
                        {
                            self.messages.push(*message);
                        }
                        break Ok(decision.reply);
                    }
                    Err(Undecided::Missing(keys)) => {
                        view.records.extend(keys.into_iter().map(|key| (key, None)));
                    }
                    Err(Undecided::Rejected(rejection)) => break Err(rejection),
                    Err(Undecided::Contradiction(why)) => {
                        panic!("one view contradicts itself: {why:?}")
                    }
                }
            };
            replies.push((command, reply));
        }
        let known = &self.sample.records;
        writes
            .retain(|key, after| after.is_some() || known.contains_key(&(partition, key.clone())));
        if !writes.is_empty() {
            self.sample
                .commit_in(partition, writes.into_iter().collect());
        }
        replies
    }

    fn answer_late(&mut self, most: usize) {
        for _ in 0..most.min(self.late.len()) {
            if let Some((call, answer)) = self.late.pop_front() {
                self.give(call, answer);
            }
        }
    }

    fn give(&mut self, call: CallId, answer: Answer) {
        let granted = match &answer {
            Answer::Leased(granted) => granted.clone(),
            _ => Vec::new(),
        };
        self.sample.answer(call, answer);
        for Granted {
            task,
            attempt,
            lease,
            ..
        } in granted
        {
            let worker = Actor::Worker(0);
            self.sample.write(What::Began {
                worker,
                task,
                attempt,
                lease,
            });
            self.held.push((task, lease, worker));
        }
    }
}

fn queue(n: u8) -> QueueName {
    QueueName::new(crate::plan::Plan::queue(n)).expect("a name")
}

#[test]
fn what_the_rules_do_breaks_no_promise() {
    for seed in 0..30 {
        let mut drawn = Drawn::new(seed);
        drawn.run();
        let run = drawn.sample.run();
        let found: Vec<_> = all(&run)
            .iter()
            .map(|violation| show::show(&run, violation))
            .collect();
        assert!(found.is_empty(), "seed {seed}:\n{}", found.join("\n"));
    }
}
