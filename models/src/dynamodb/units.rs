//! What requests consume.

use std::collections::BTreeMap;

use serde_json::json;

use super::error::invalid;
use crate::aws::{Error, Fields, Json};

/// How much a client wants to know of what its request consumed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    None,
    Total,
    Indexes,
}

impl Detail {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, Error> {
        match fields.text("ReturnConsumedCapacity")?.as_deref() {
            None | Some("NONE") => Ok(Self::None),
            Some("TOTAL") => Ok(Self::Total),
            Some("INDEXES") => Ok(Self::Indexes),
            Some(other) => Err(invalid(format!("no ReturnConsumedCapacity: {other}"))),
        }
    }
}

/// Units to write so many bytes.
pub(super) fn write(bytes: usize) -> u64 {
    bytes.div_ceil(1024).max(1) as u64
}

/// Units to read so many bytes consistently; half of them are enough to read an index.
pub(super) fn read(bytes: usize) -> u64 {
    bytes.div_ceil(4096).max(1) as u64
}

/// What was consumed of a table and its indexes.
#[derive(Default)]
pub(super) struct Consumed {
    pub(super) table: f64,
    pub(super) indexes: BTreeMap<String, f64>,
}

impl Consumed {
    pub(super) fn of_table(units: f64) -> Self {
        Self {
            table: units,
            indexes: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.table += other.table;
        for (index, units) in other.indexes {
            *self.indexes.entry(index).or_default() += units;
        }
    }

    pub(super) fn to_json(&self, table: &str, detail: Detail) -> Json {
        let sum = self.table + self.indexes.values().sum::<f64>();
        let mut json = json!({ "TableName": table, "CapacityUnits": sum });
        if detail == Detail::Indexes {
            json["Table"] = json!({ "CapacityUnits": self.table });
            let indexes = self.indexes.iter();
            let indexes = indexes.map(|(name, units)| {
                let units = json!({ "CapacityUnits": units });
                (name.clone(), units)
            });
            json["GlobalSecondaryIndexes"] = Json::Object(indexes.collect());
        }
        json
    }

    /// Adds it to a reply, when the client wants to know.
    pub(super) fn tell(&self, reply: &mut Json, table: &str, detail: Detail) {
        if detail != Detail::None {
            reply["ConsumedCapacity"] = self.to_json(table, detail);
        }
    }
}
