use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// What was asked of DynamoDB, and what it said was consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Requests, those that failed included.
    pub calls: u64,
    /// Read units.
    pub reads: f64,
    /// Write units, those of the indexes included where the service tells them.
    pub writes: f64,
    /// Write units of the indexes alone, where the service tells them.
    pub index_writes: f64,
}

/// Counts units in thousandths: the smallest amount is half a unit.
#[derive(Debug, Default)]
pub(super) struct Meter {
    calls: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    index_writes: AtomicU64,
}

impl Meter {
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read_units(&self, consumed: &[ConsumedCapacity]) {
        let units = consumed.iter().filter_map(ConsumedCapacity::capacity_units);
        add(&self.reads, units.sum());
    }

    pub(super) fn write_units(&self, consumed: &[ConsumedCapacity]) {
        let units = consumed.iter().filter_map(ConsumedCapacity::capacity_units);
        add(&self.writes, units.sum());
        let indexes = consumed
            .iter()
            .filter_map(ConsumedCapacity::global_secondary_indexes)
            .flat_map(|indexes| indexes.values());
        let units = indexes.filter_map(|index| index.capacity_units());
        add(&self.index_writes, units.sum());
    }

    pub(super) fn read(&self) -> Usage {
        let units = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64 / 1_000.0;
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            reads: units(&self.reads),
            writes: units(&self.writes),
            index_writes: units(&self.index_writes),
        }
    }
}

fn add(counter: &AtomicU64, units: f64) {
    counter.fetch_add((units * 1_000.0).round() as u64, Ordering::Relaxed);
}
