//! Tables that are made and described.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::error::{missing, no_table, wrong};
use super::index::Index;
use super::server::{Done, Dynamo};
use super::table::Table;
use super::value::Kind;
use crate::aws::{Error, Fields, Json};

impl Dynamo {
    pub(super) fn create_table(&mut self, now: u64, fields: &mut Fields) -> Done {
        let mut table = read(fields)?;
        if self.tables.contains_key(&table.name) {
            let message = format!("Table already exists: {}", table.name);
            return Err(Error::new("ResourceInUseException", message));
        }
        table.made = now;
        table.usable = now + self.condition.making;
        let description = describe(&table, table.usable > now);
        self.tables.insert(table.name.clone(), table);
        Ok(json!({ "TableDescription": description }))
    }

    pub(super) fn describe_table(&mut self, now: u64, fields: &mut Fields) -> Done {
        let name = fields.text("TableName")?;
        let name = name.ok_or_else(|| missing("TableName"))?;
        std::mem::take(fields).end()?;
        match self.tables.get(&name) {
            Some(table) => Ok(json!({ "Table": describe(table, table.usable > now) })),
            None => Err(Error {
                message: format!("Requested resource not found: Table: {name} not found"),
                ..no_table()
            }),
        }
    }
}

fn read(fields: &mut Fields) -> Result<Table, Error> {
    let name = fields.text("TableName")?;
    let name = name.ok_or_else(|| missing("TableName"))?;
    check_name("TableName", &name)?;
    match fields.text("BillingMode")?.as_deref() {
        Some("PAY_PER_REQUEST") => {}
        other => return Err(Error::unknown(format!("the billing mode {other:?}"))),
    }
    let key = match keys(fields)?.as_slice() {
        [(key, false)] => key.clone(),
        other => return Err(Error::unknown(format!("tables with the key {other:?}"))),
    };
    let kinds = kinds(fields)?;
    let indexes = indexes(fields)?;
    std::mem::take(fields).end()?;
    let used = indexes
        .values()
        .flat_map(|index| [&index.hash, &index.sort]);
    let used: BTreeSet<&String> = used.chain([&key]).collect();
    if !kinds.keys().eq(used) {
        return Err(wrong(
            "The attributes of the keys and indexes are not those that are defined",
        ));
    }
    Ok(Table {
        name,
        key,
        kinds,
        indexes,
        items: BTreeMap::new(),
        made: 0,
        usable: 0,
    })
}

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (3..=255).contains(&name.len()) && name.bytes().all(known) {
        true => Ok(()),
        false => Err(wrong(format!("{what} is 3 to 255 of a-z A-Z 0-9 _ . -"))),
    }
}

/// Each list entry, with all of its fields read.
fn each<T>(
    fields: &mut Fields,
    name: &str,
    mut read: impl FnMut(&mut Fields) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let list = fields.list(name)?.unwrap_or_default();
    let read = list.into_iter().map(|json| {
        let mut fields = Fields::of(name, json)?;
        let found = read(&mut fields)?;
        fields.end()?;
        Ok(found)
    });
    read.collect()
}

fn required(fields: &mut Fields, name: &str) -> Result<String, Error> {
    fields.text(name)?.ok_or_else(|| missing(name))
}

/// The attributes of a key, and whether they are for sorting.
fn keys(fields: &mut Fields) -> Result<Vec<(String, bool)>, Error> {
    each(fields, "KeySchema", |fields| {
        let name = required(fields, "AttributeName")?;
        match required(fields, "KeyType")?.as_str() {
            "HASH" => Ok((name, false)),
            "RANGE" => Ok((name, true)),
            other => Err(wrong(format!("KeyType {other}"))),
        }
    })
}

fn kinds(fields: &mut Fields) -> Result<BTreeMap<String, Kind>, Error> {
    let kinds = each(fields, "AttributeDefinitions", |fields| {
        let name = required(fields, "AttributeName")?;
        let kind = required(fields, "AttributeType")?;
        Ok((name, Kind::read(&kind)?))
    })?;
    Ok(kinds.into_iter().collect())
}

fn indexes(fields: &mut Fields) -> Result<BTreeMap<String, Index>, Error> {
    let indexes = each(fields, "GlobalSecondaryIndexes", |fields| {
        let name = required(fields, "IndexName")?;
        check_name("IndexName", &name)?;
        let (hash, sort) = match keys(fields)?.as_slice() {
            [(hash, false), (sort, true)] => (hash.clone(), sort.clone()),
            other => return Err(Error::unknown(format!("indexes with the key {other:?}"))),
        };
        let mut projection = fields
            .fields("Projection")?
            .ok_or_else(|| missing("Projection"))?;
        let kind = required(&mut projection, "ProjectionType")?;
        let more = projection.texts("NonKeyAttributes")?.unwrap_or_default();
        projection.end()?;
        match (kind.as_str(), more.is_empty()) {
            ("KEYS_ONLY", true) | ("INCLUDE", false) => Ok((name, Index::new(hash, sort, more))),
            _ => Err(Error::unknown(format!("the projection {kind} of {more:?}"))),
        }
    })?;
    Ok(indexes.into_iter().collect())
}

fn describe(table: &Table, is_made: bool) -> Json {
    let status = if is_made { "CREATING" } else { "ACTIVE" };
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let kinds = table.kinds.iter();
    let kinds =
        kinds.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind.name() }));
    let indexes = table.indexes.iter().map(|(name, index)| {
        let projection = match index.more.as_slice() {
            [] => json!({ "ProjectionType": "KEYS_ONLY" }),
            more => json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": more }),
        };
        json!({
            "IndexName": name,
            "KeySchema": [key(&index.hash, "HASH"), key(&index.sort, "RANGE")],
            "Projection": projection,
            "IndexStatus": status,
        })
    });
    json!({
        "TableName": table.name,
        "TableStatus": status,
        "CreationDateTime": table.made as f64 / 1_000.0,
        "KeySchema": [key(&table.key, "HASH")],
        "AttributeDefinitions": kinds.collect::<Vec<_>>(),
        "GlobalSecondaryIndexes": indexes.collect::<Vec<_>>(),
        "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" },
    })
}
