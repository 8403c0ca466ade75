use std::collections::BTreeMap;

use russet_backends::dynamodb::{KEY_ATTRIBUTE, RECORD_ATTRIBUTE, read_item};
use russet_models::dynamodb::{Commit, Item, Value, Write};

use crate::history::Actor;
use crate::world::ledger::Ledger;

/// Writes down what requests have written.
pub(super) struct Account {
    ledger: Ledger,
}

impl Account {
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn turned_away(&self, from: Actor) {
        self.ledger.turned_away(from);
    }

    /// Writes down what a request of `from` has written; whether there are records among it.
    pub fn write(&self, from: Actor, commits: Vec<Commit>) -> bool {
        let mut any = false;
        for commit in &commits {
            let mut changes: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (partition, key, known) in commit.writes.iter().filter_map(record) {
                let own = changes.entry(partition).or_default();
                own.push((key, known.map(|known| known.record)));
            }
            any |= !changes.is_empty();
            for (partition, changes) in changes {
                self.ledger.stored(from, partition, changes);
            }
        }
        any
    }
}

fn record(
    write: &Write,
) -> Option<(
    russet_core::PartitionId,
    russet_core::RecordKey,
    Option<russet_engine::Versioned>,
)> {
    let value = write
        .item
        .as_ref()
        .map(|item| bytes(item, RECORD_ATTRIBUTE));
    read_item(bytes(&write.key, KEY_ATTRIBUTE), value)
}

fn bytes<'a>(item: &'a Item, name: &str) -> &'a [u8] {
    match item.get(name) {
        Some(Value::B(bytes)) => bytes,
        _ => &[],
    }
}
