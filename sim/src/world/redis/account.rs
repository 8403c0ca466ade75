use std::collections::BTreeMap;

use russet_backends::redis::Seen;
use russet_core::{PartitionId, Record, RecordKey, TaskId};
use russet_engine::{Version, Versioned};
use russet_models::redis::{Reply, Write, Written};

use super::PREFIX;
use super::redirects::Redirects;
use crate::history::{Actor, At, Effect};
use crate::world::ledger::Ledger;
use crate::world::time::now;
use crate::world_time::EPOCH_MS;

type Changes = Vec<(RecordKey, Option<Record>)>;

/// Writes down what commands have written.
pub(super) struct Account {
    ledger: Ledger,
    redirects: Redirects,
}

/// What one command has written.
#[derive(Default)]
struct Sum {
    changes: Vec<(PartitionId, Version, Changes)>,
    removed: BTreeMap<PartitionId, Changes>,
    /// Until when these were hidden that were not before.
    delivered: BTreeMap<At, Vec<TaskId>>,
    /// Until when these are hidden from now on.
    given_back: BTreeMap<At, Vec<TaskId>>,
}

impl Account {
    pub fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            redirects: Redirects::default(),
        }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn turned_away(&self, from: Actor) {
        self.ledger.turned_away(from);
    }

    /// Notes that a client was refused because of what the server cannot do now, and what else it
    /// has met.
    pub fn refused(&self, from: Actor, reply: &Reply) {
        const NOW: [&str; 5] = ["OOM", "LOADING", "READONLY", "TRYAGAIN", "CLUSTERDOWN"];
        const MET: [(&str, Effect); 4] = [
            ("NOSCRIPT", Effect::ScriptUnknown),
            ("READONLY", Effect::ReplicaRefused),
            ("TRYAGAIN", Effect::HalfMoved),
            ("CLUSTERDOWN", Effect::ClusterDown),
        ];
        match reply {
            Reply::Error(why) => {
                if NOW.iter().any(|code| why.starts_with(code)) {
                    self.turned_away(from);
                }
                let met = MET.iter().find(|(code, _)| why.starts_with(code));
                if let Some((_, effect)) = met {
                    self.ledger.met(from, *effect);
                }
            }
            Reply::Bulk(word) if word == b"epoch" => self.ledger.met(from, Effect::EpochOver),
            _ => {}
        }
    }

    /// Notes whether a command that was sent on is done now.
    pub fn answered(&self, from: Actor, command: &[Vec<u8>], asking: bool, reply: &Reply) {
        let sent_on = self.redirects.answered(from, command, asking, reply);
        if let Some(asking) = sent_on {
            let effect = match asking {
                true => Effect::Asked,
                false => Effect::Moved,
            };
            self.ledger.met(from, effect);
        }
    }

    /// Writes down what a command of `from` has written; whether there are records among it.
    pub fn write(&self, from: Actor, writes: Vec<Write>) -> bool {
        let mut sum = Sum::default();
        for write in &writes {
            sum.add(write, &self.ledger);
        }
        let transactions = sum.transactions();
        let committed = !transactions.is_empty();
        for (partition, changes) in transactions {
            self.ledger.stored(from, partition, changes);
        }
        // What a commit makes ready was not hidden before. What comes back may be delivered
        // again at once.
        for (until, tasks) in sum.given_back.into_iter().filter(|_| !committed) {
            self.ledger.hidden(tasks, until, false);
        }
        for (until, tasks) in sum.delivered {
            self.ledger.hidden(tasks, until, true);
        }
        committed
    }
}

impl Sum {
    /// The transactions that the command committed: what is written has the version of its
    /// transaction. What is removed has none, and stands by itself.
    fn transactions(&mut self) -> Vec<(PartitionId, Changes)> {
        let removed = std::mem::take(&mut self.removed).into_iter();
        let written = self.changes.drain(..);
        let written = written.map(|(partition, _, changes)| (partition, changes));
        removed.chain(written).collect()
    }

    fn change(&mut self, partition: PartitionId, version: Version, key: RecordKey, record: Record) {
        let change = (key, Some(record));
        let own = |(p, v, _): &&mut _| (*p, *v) == (partition, version);
        match self.changes.iter_mut().find(own) {
            Some((_, _, own)) => own.push(change),
            None => self.changes.push((partition, version, vec![change])),
        }
    }

    fn add(&mut self, write: &Write, ledger: &Ledger) {
        let value = match &write.what {
            Written::Field(value) => Some(value.as_slice()),
            Written::NoField | Written::Member { .. } => None,
        };
        match (
            Seen::read(PREFIX, &write.key, &write.name, value),
            &write.what,
        ) {
            (Some(Seen::Record(partition, key, known)), _) => {
                let Some(Versioned { version, record }) = known else {
                    self.removed.entry(partition).or_default().push((key, None));
                    return;
                };
                self.change(partition, version, key, record);
            }
            (Some(Seen::Later(partition, key, Versioned { version, record })), _) => {
                // Where the first field is missing the record shows it.
                let first = ledger.record(partition, &key);
                let whole = first.and_then(|first| Seen::whole(&first, record.clone()));
                self.change(partition, version, key, whole.unwrap_or(record));
            }
            (Some(Seen::Ready(task)), Written::Member { .. }) => {
                self.given_back.entry(now()).or_default().push(task);
            }
            (Some(Seen::Hidden(task)), Written::Member { score, new }) => {
                let until = At((*score as u64).saturating_sub(EPOCH_MS * 1_000));
                // What the command itself has just made ready again was hidden before, too.
                let ready = self.given_back.get(&now());
                let delivered = *new || ready.is_some_and(|tasks| tasks.contains(&task));
                let tasks = match delivered {
                    true => &mut self.delivered,
                    false => &mut self.given_back,
                };
                tasks.entry(until).or_default().push(task);
            }
            _ => {}
        }
    }
}
