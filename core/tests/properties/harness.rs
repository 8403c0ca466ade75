//! Partitions, the messages between them and a clock, checked at every step.

use std::collections::BTreeSet;

use russet_core::command::{Acknowledge, Deliver};
use russet_core::{
    Command, Decision, Event, LeaseId, Message, PartitionId, Rejection, Reply, TaskId, Timestamp,
    View,
};

use crate::oracle::Oracle;
use crate::promises::{self, Ledger};
use crate::replay;
use crate::store::Partition;

/// A command, and what came of it.
pub struct Step<'a> {
    pub partition: usize,
    pub command: &'a Command,
    pub now: Timestamp,
    /// What was known when it was decided.
    pub view: View,
    pub result: Result<Decision, Rejection>,
}

/// What a run looks at beside the promises.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checks {
    /// Each accepted command is decided once more, and must get the same reply.
    pub repeat: bool,
    /// Each decision is made again from a written-down view and command.
    pub replay: bool,
    /// Each step is told on standard error.
    pub tell: bool,
}

fn tell(partition: usize, command: &Command, now: Timestamp, result: &Result<Decision, Rejection>) {
    eprintln!(
        "at {} in partition {partition}: {command:?}",
        now.as_millis()
    );
    match result.as_ref().map(|decision| &decision.reply) {
        Ok(Reply::Leased(task)) => eprintln!("    leased {}: {:?}", task.id, task.lease),
        Ok(reply) => eprintln!("    {reply:?}"),
        Err(rejection) => eprintln!("    refused: {rejection}"),
    }
}

/// Some partitions, the messages between them, and a clock.
pub struct World {
    pub checks: Checks,
    pub now: Timestamp,
    pub partitions: Vec<Partition>,
    pub oracle: Oracle,
    pub ledger: Ledger,
    /// Messages on their way; they get lost, repeated and late.
    pub flight: Vec<Message>,
    /// Every task that was ever accepted, in that order.
    pub ids: Vec<TaskId>,
    /// Every lease that was ever granted, in that order.
    pub grants: Vec<(TaskId, LeaseId)>,
    /// Every command that was ever accepted, with its partition.
    pub accepted: Vec<(usize, Command)>,
    /// The names of all events and refusals that there were.
    pub seen: BTreeSet<&'static str>,
    /// For new identities.
    pub serial: u64,
}

impl World {
    pub fn new(partitions: u16, settings: &View, checks: Checks) -> Self {
        let of = |id| View {
            partition: PartitionId(id),
            ..settings.clone()
        };
        Self {
            checks,
            now: Timestamp::from_millis(1_000_000),
            partitions: (0..partitions).map(|id| Partition::new(of(id))).collect(),
            oracle: Oracle::new(settings),
            ledger: Ledger::default(),
            flight: Vec::new(),
            ids: Vec::new(),
            grants: Vec::new(),
            accepted: Vec::new(),
            seen: BTreeSet::new(),
            serial: 0,
        }
    }

    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Carries out `command`, compares with the oracle and checks the promises.
    pub fn run(&mut self, partition: usize, command: &Command) -> Result<Reply, Rejection> {
        let now = self.now;
        let (view, result) = self.partitions[partition].decide(command, now);
        if self.checks.tell {
            tell(partition, command, now, &result);
        }
        if self.checks.replay {
            replay::replays(&view, command, now, &result);
        }
        if let Ok(decision) = &result {
            self.partitions[partition].commit(decision);
        }
        let expected = self.oracle.expect(partition, command, now);
        self.oracle
            .agrees(partition, &self.partitions[partition], &expected, &result);
        self.seen.extend(match &result {
            Ok(decision) => decision
                .events
                .iter()
                .map(|event| event.kind.as_str())
                .collect(),
            Err(rejection) => vec![rejection.code()],
        });
        let step = Step {
            partition,
            command,
            now,
            view,
            result,
        };
        promises::check(self, &step);
        let decision = step.result?;
        if self.checks.repeat {
            replay::same_reply(&self.partitions[partition], command, now, &decision.reply);
        }
        self.remember(partition, command, &decision);
        Ok(decision.reply)
    }

    fn remember(&mut self, partition: usize, command: &Command, decision: &Decision) {
        let submitted = |event: &&Event| event.kind == russet_core::EventKind::Submitted;
        let new = decision
            .events
            .iter()
            .filter(submitted)
            .map(|event| event.task);
        self.ids
            .extend(new.filter(|id| !self.ids.contains(id)).collect::<Vec<_>>());
        self.flight.extend(&decision.messages);
        match &decision.reply {
            Reply::Leased(task) => {
                let grant = (task.id, decision.reply.lease().expect("a lease"));
                if !self.grants.contains(&grant) {
                    self.grants.push(grant);
                }
            }
            Reply::Fired { relay, .. } => self.flight.extend(relay),
            _ => {}
        }
        self.accepted.push((partition, command.clone()));
    }

    /// Applies a message at its target, and acknowledges it unless that gets lost.
    pub fn deliver(&mut self, message: Message, acknowledge: bool) {
        let target = usize::from(message.target().0);
        let arrived = self.run(target, &Command::Deliver(Deliver { message }));
        if arrived.is_ok() && acknowledge {
            let source = match message {
                Message::Watch { child, .. } => child.partition(),
                Message::Settled { parent, .. } => parent.partition(),
            };
            let acknowledge = Acknowledge {
                message: message.id(),
            };
            let _ = self.run(usize::from(source.0), &Command::Acknowledge(acknowledge));
        }
    }
}
