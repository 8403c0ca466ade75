//! Items by their keys.

use std::collections::BTreeSet;

use serde_json::json;

use super::error::{invalid, missing};
use super::expression::projection;
use super::server::{Done, Dynamo};
use super::table::Table;
use super::units::{self, Consumed, Detail};
use super::value::{self, Item, Value, weight};
use crate::aws::{Error, Fields, Json, Map};

/// Most keys of one `BatchGetItem`.
const KEYS: usize = 100;
/// Most bytes of the items in its reply.
const BYTES: usize = 16 * 1024 * 1024;

impl Dynamo {
    pub(super) fn get_item(&mut self, now: u64, fields: &mut Fields) -> Done {
        let table = self.table(now, fields)?;
        let key = value::key(fields, &table.key)?;
        table.check_key(&key)?;
        consistent(fields)?;
        let detail = Detail::read(fields)?;
        std::mem::take(fields).end()?;
        let item = table.items.get(&key);
        let mut reply = json!({});
        if let Some(item) = item {
            reply["Item"] = value::to_json(item);
        }
        let units = units::read(item.map_or(0, weight));
        Consumed::of_table(units as f64).tell(&mut reply, &table.name, detail);
        Ok(reply)
    }

    pub(super) fn batch_get_item(&mut self, now: u64, fields: &mut Fields) -> Done {
        let tables = fields.object("RequestItems")?;
        let tables = tables.ok_or_else(|| missing("RequestItems"))?;
        let detail = Detail::read(fields)?;
        std::mem::take(fields).end()?;
        let mut tables = tables.into_iter();
        let (Some((name, asked)), None) = (tables.next(), tables.next()) else {
            return Err(Error::unknown("batches of several tables, or of none"));
        };
        let table = self.usable(now, &name)?;
        let mut rest = asked.clone();
        let mut asked = Fields::of(&name, asked)?;
        let keys = keys(&mut asked, table)?;
        consistent(&mut asked)?;
        let names = projection(&mut asked)?;
        asked.end()?;
        let (mut found, mut bytes, mut units) = (Vec::new(), 0, 0);
        let mut processed = 0;
        for key in keys.iter().take(self.condition.batch_reads) {
            let item = table.items.get(key);
            bytes += item.map_or(0, weight);
            if bytes > BYTES {
                break;
            }
            units += units::read(item.map_or(0, weight));
            found.extend(item.map(|item| projected(item, names.as_deref())));
            processed += 1;
        }
        if let Some(Json::Array(all)) = rest.get_mut("Keys") {
            all.drain(..processed);
        }
        let mut unprocessed = Map::new();
        if processed < keys.len() {
            unprocessed.insert(name.clone(), rest);
        }
        let mut reply = json!({ "Responses": { &name: found }, "UnprocessedKeys": unprocessed });
        if detail != Detail::None {
            let consumed = Consumed::of_table(units as f64);
            reply["ConsumedCapacity"] = json!([consumed.to_json(&name, detail)]);
        }
        Ok(reply)
    }
}

/// The keys of a batch, all different.
fn keys(fields: &mut Fields, table: &Table) -> Result<Vec<Value>, Error> {
    let keys = fields.list("Keys")?.ok_or_else(|| missing("Keys"))?;
    if !(1..=KEYS).contains(&keys.len()) {
        return Err(invalid(format!(
            "1 validation error detected: Keys: Member must have length 1 to {KEYS}"
        )));
    }
    let keys = keys.into_iter().map(|key| {
        let Json::Object(map) = key else {
            return Err(value::no_key());
        };
        let key = value::one_key(value::item(map)?, &table.key)?;
        table.check_key(&key).map(|()| key)
    });
    let keys: Vec<Value> = keys.collect::<Result<_, _>>()?;
    let unique: BTreeSet<&Value> = keys.iter().collect();
    match unique.len() == keys.len() {
        true => Ok(keys),
        false => Err(invalid("Provided list of item keys contains duplicates")),
    }
}

fn projected(item: &Item, names: Option<&[String]>) -> Json {
    let Some(names) = names else {
        return value::to_json(item);
    };
    let found = names
        .iter()
        .filter_map(|name| Some((name.clone(), item.get(name)?.to_json())));
    Json::Object(found.collect())
}

/// Reads that may be behind are not modelled.
fn consistent(fields: &mut Fields) -> Result<(), Error> {
    match fields.flag("ConsistentRead")? {
        Some(true) => Ok(()),
        _ => Err(Error::unknown("reads by key that are not consistent")),
    }
}
