//! Partitions, the messages between them and a clock, checked at every step.

use std::collections::BTreeSet;

use russet_core::command::{Acknowledge, Deliver, Stage};
use russet_core::{
    Command, Decision, Epoch, Event, GateState, LeaseId, Message, PartitionId, Record, RecordKey,
    Rejection, Reply, TaskId, TimerKey, Timestamp, View,
};

use crate::oracle::{Answer, Oracle, Peek};
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

/// What a step did at a workflow's gate, by a name.
fn passage(
    view: &View,
    command: &Command,
    result: &Result<Decision, Rejection>,
) -> Option<&'static str> {
    let gate = |id| match view.records.get(&RecordKey::Workflow(id)) {
        Some(Some(Record::Workflow(flow))) => flow.gate,
        _ => None,
    };
    match (command, &result.as_ref().ok()?.reply) {
        (Command::Stage(_), _) => Some("stored a piece"),
        (Command::Submit(submit), reply) => match (gate(submit.workflow.as_ref()?.id), reply) {
            (None, Reply::Staged(_)) => Some("began in pieces"),
            (Some(_), Reply::Staged(_)) => Some("went on in pieces"),
            (Some(_), Reply::Submitted { existing, .. }) if !existing => Some("opened a gate"),
            _ => None,
        },
        (Command::Fire(fire), Reply::Fired { next, .. }) => match fire.timer {
            TimerKey::Workflow(id) => match (gate(id)?.state, next) {
                (GateState::Open, Some(_)) => Some("let some through"),
                (GateState::Open, None) => Some("let the last through"),
                (_, Some(_)) => Some("removed some"),
                (_, None) => Some("removed the last"),
            },
            _ => None,
        },
        _ => None,
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
    /// Workflows that somebody submits in pieces, with those that are to be stored.
    pub begun: Vec<Begun>,
}

/// A submission in pieces.
pub struct Begun {
    pub partition: usize,
    pub submit: Command,
    pub missing: Vec<Stage>,
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
            begun: Vec::new(),
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
        let stored = &self.partitions[partition];
        let peek = Peek {
            view: &view,
            decision: result.as_ref().ok(),
            stored,
        };
        let expected = self.oracle.expect(partition, command, now, peek);
        self.oracle.agrees(partition, stored, &expected, &result);
        if let (Ok(Answer::Staged(id)), Ok(decision)) = (&expected, &result)
            && let Reply::Staged(missing) = &decision.reply
        {
            self.oracle.learn(*id, missing);
        }
        self.seen.extend(match &result {
            Ok(decision) => decision
                .events
                .iter()
                .map(|event| event.kind.as_str())
                .collect(),
            Err(rejection) => vec![rejection.code()],
        });
        self.seen.extend(passage(&view, command, &result));
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
            Reply::Staged(missing) => self.begun(partition, command, missing),
            _ => {}
        }
        self.accepted.push((partition, command.clone()));
    }

    fn begun(&mut self, partition: usize, submit: &Command, missing: &[Stage]) {
        if let Command::Submit(submit) = submit {
            let new = submit.tasks.iter().map(|task| task.id);
            self.ids
                .extend(new.filter(|id| !self.ids.contains(id)).collect::<Vec<_>>());
        }
        self.begun.push(Begun {
            partition,
            submit: submit.clone(),
            missing: missing.to_vec(),
        });
    }

    /// Applies a message at its target, and acknowledges it unless that gets lost.
    pub fn deliver(&mut self, message: Message, acknowledge: bool) {
        let target = usize::from(message.target().0);
        let arrived = self.run(target, &Command::Deliver(Deliver { message }));
        if arrived.is_ok() && acknowledge {
            let acknowledge = Acknowledge {
                message: message.id(),
                epoch: Epoch::default(),
            };
            let _ = self.run(
                usize::from(message.source().0),
                &Command::Acknowledge(acknowledge),
            );
        }
    }
}
