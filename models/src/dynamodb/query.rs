//! Pages of an index.

use std::ops::Bound;

use serde_json::json;

use super::error::{invalid, wrong};
use super::expression::{Comparison, KeyCondition};
use super::index::{Index, Place};
use super::server::{Done, Dynamo};
use super::table::Table;
use super::units::{self, Consumed, Detail};
use super::value::{self, Item, Value, weight};
use crate::aws::{Error, Fields};

/// What is asked of an index.
struct Query {
    condition: KeyCondition,
    forward: bool,
    limit: usize,
    /// The entry behind which the page starts.
    start: Option<Place>,
}

/// What a page holds.
#[derive(Default)]
struct Page<'a> {
    entries: Vec<&'a Item>,
    bytes: usize,
    /// Whether it ended before the entries did.
    more: bool,
}

impl Dynamo {
    pub(super) fn query(&mut self, now: u64, fields: &mut Fields) -> Done {
        let table = self.table(now, fields)?;
        let name = fields.text("IndexName")?;
        let name = name.ok_or_else(|| Error::unknown("queries of a table itself"))?;
        let index = table.indexes.get(&name).ok_or_else(|| {
            invalid(format!(
                "The table does not have the specified index: {name}"
            ))
        })?;
        let query = Query::read(table, index, fields)?;
        let count = match fields.text("Select")?.as_deref() {
            None => false,
            Some("COUNT") => true,
            Some(other) => return Err(Error::unknown(format!("to select {other}"))),
        };
        let detail = Detail::read(fields)?;
        std::mem::take(fields).end()?;
        let behind = index.is_behind(&query.condition.group.1);
        let page = query.page(index, self.condition.page_bytes);
        let number = page.entries.len();
        let mut reply = json!({ "Count": number, "ScannedCount": number });
        if !count {
            let items = page.entries.iter().map(|entry| value::to_json(entry));
            reply["Items"] = items.collect();
        }
        if let Some(last) = page.entries.last().filter(|_| page.more) {
            let names = [&table.key, &index.hash, &index.sort].into_iter();
            let key = names.filter_map(|name| Some((name.clone(), last.get(name)?.clone())));
            reply["LastEvaluatedKey"] = value::to_json(&key.collect());
        }
        let mut consumed = Consumed::default();
        let units = units::read(page.bytes) as f64 / 2.0;
        consumed.indexes.insert(name, units);
        consumed.tell(&mut reply, &table.name, detail);
        self.behind |= behind;
        Ok(reply)
    }
}

impl Query {
    fn read(table: &Table, index: &Index, fields: &mut Fields) -> Result<Self, Error> {
        let condition = KeyCondition::read(fields)?;
        check(table, index, &condition)?;
        let limit = fields.whole("Limit")?.unwrap_or(i64::MAX);
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        let limit = limit.ok_or_else(|| {
            invalid("1 validation error detected: Limit: Member must have value at least 1")
        })?;
        let start = fields.object("ExclusiveStartKey")?;
        let start = start.map(|start| {
            let start = value::item(start)?;
            place(table, index, &condition, &start)
        });
        Ok(Self {
            forward: fields.flag("ScanIndexForward")?.unwrap_or(true),
            limit,
            start: start.transpose()?,
            condition,
        })
    }

    fn page<'a>(&self, index: &'a Index, most: usize) -> Page<'a> {
        let mut page = Page::default();
        let Some(group) = index.group(&self.condition.group.1) else {
            return page;
        };
        let start = self.start.clone();
        let bounds = match (start, self.forward) {
            (None, _) => (Bound::Unbounded, Bound::Unbounded),
            (Some(place), true) => (Bound::Excluded(place), Bound::Unbounded),
            (Some(place), false) => (Bound::Unbounded, Bound::Excluded(place)),
        };
        let range = group.range(bounds);
        let mut forward = range.clone();
        let mut backward = range.rev();
        let mut next = || match self.forward {
            true => forward.next(),
            false => backward.next(),
        };
        while let Some(((sort, _), entry)) = next() {
            if !self.has(sort) {
                continue;
            }
            page.entries.push(entry);
            page.bytes += weight(entry);
            // So a page that ends with the last entry still says that there may be more.
            if page.entries.len() >= self.limit || page.bytes >= most {
                page.more = true;
                break;
            }
        }
        page
    }

    fn has(&self, sort: &Value) -> bool {
        let edge = self.condition.edge.as_ref();
        edge.is_none_or(|(_, comparison, edge)| comparison.holds(sort, edge))
    }
}

/// Whether the condition goes by the keys of the index.
fn check(table: &Table, index: &Index, condition: &KeyCondition) -> Result<(), Error> {
    let edge = condition.edge.as_ref();
    let (group, value) = &condition.group;
    let parts = [(&index.hash, Some((group, value)))].into_iter();
    let parts = parts.chain([(&index.sort, edge.map(|(name, _, value)| (name, value)))]);
    for (expected, found) in parts {
        let Some((name, value)) = found else {
            continue;
        };
        if name != expected {
            return Err(invalid(format!(
                "Query condition missed key schema element: {expected}"
            )));
        }
        if value.kind() != table.kind(name) {
            return Err(wrong("Condition parameter type does not match schema type"));
        }
    }
    Ok(())
}

/// The place of an entry where a page ended.
fn place(
    table: &Table,
    index: &Index,
    condition: &KeyCondition,
    start: &Item,
) -> Result<Place, Error> {
    let refuse = || invalid("The provided starting key is invalid");
    let part = |name: &String| {
        let value = start.get(name);
        let value = value.filter(|value| value.kind() == table.kind(name));
        value.cloned().ok_or_else(refuse)
    };
    let (group, sort) = (part(&index.hash)?, part(&index.sort)?);
    let place = (sort, part(&table.key)?);
    if start.len() != 3 {
        return Err(refuse());
    }
    let outside =
        |(_, comparison, edge): &(String, Comparison, Value)| !comparison.holds(&place.0, edge);
    if group != condition.group.1 || condition.edge.as_ref().is_some_and(outside) {
        return Err(invalid(
            "The provided starting key is outside query boundaries based on provided conditions",
        ));
    }
    Ok(place)
}
