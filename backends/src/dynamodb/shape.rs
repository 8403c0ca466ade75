//! What the table must look like.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndex, GlobalSecondaryIndexDescription, IndexStatus,
    KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType, TableDescription,
    TableStatus,
};

use super::item::{DUE, ID, KEY, LISTED, READY, TIMERS as PART_OF_TIMERS, WORKFLOW};

/// The index of timers.
pub(super) const TIMERS: &str = "timers";
/// The index of tasks by queue and status.
pub(super) const LISTINGS: &str = "listings";
/// The index of tasks by workflow.
pub(super) const WORKFLOWS: &str = "workflows";

/// The newest format of a table that is known.
pub(super) const FORMAT: u64 = 1;

/// An index: its name, what its entries are grouped and sorted by, what else they hold.
type Index = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const INDEXES: [Index; 3] = [
    (TIMERS, PART_OF_TIMERS, DUE, &[]),
    (LISTINGS, LISTED, ID, &[READY]),
    (WORKFLOWS, WORKFLOW, ID, &[]),
];

/// The indexes, each with what its entries are grouped by.
pub(super) fn groups() -> [(&'static str, &'static str); 3] {
    INDEXES.map(|(name, group, ..)| (name, group))
}

/// The attributes that keys are made of.
pub(super) fn attributes() -> Result<Vec<AttributeDefinition>, BuildError> {
    let bytes = ScalarAttributeType::B;
    let attributes = [
        (KEY, bytes.clone()),
        (PART_OF_TIMERS, bytes.clone()),
        (DUE, ScalarAttributeType::N),
        (LISTED, bytes.clone()),
        (ID, bytes.clone()),
        (WORKFLOW, bytes),
    ];
    let attributes = attributes.into_iter().map(|(name, kind)| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(kind).build()
    });
    attributes.collect()
}

/// The key of the table.
pub(super) fn key() -> Result<KeySchemaElement, BuildError> {
    element(KEY, KeyType::Hash)
}

fn element(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    let element = KeySchemaElement::builder().attribute_name(name);
    element.key_type(kind).build()
}

/// The indexes of the table.
pub(super) fn indexes() -> Result<Vec<GlobalSecondaryIndex>, BuildError> {
    let index = |(name, hash, sort, more): Index| {
        let projection = match more {
            [] => Projection::builder().projection_type(ProjectionType::KeysOnly),
            more => more.iter().fold(
                Projection::builder().projection_type(ProjectionType::Include),
                |projection, name| projection.non_key_attributes(*name),
            ),
        };
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(element(hash, KeyType::Hash)?)
            .key_schema(element(sort, KeyType::Range)?)
            .projection(projection.build())
            .build()
    };
    INDEXES.into_iter().map(index).collect()
}

/// Whether the table and its indexes can be used now.
pub(super) fn is_active(table: &TableDescription) -> bool {
    let usable = [TableStatus::Active, TableStatus::Updating];
    let table_is = table.table_status().is_some_and(|s| usable.contains(s));
    let indexes = table.global_secondary_indexes();
    let active = |index: &GlobalSecondaryIndexDescription| {
        let status = index.index_status();
        status.is_none_or(|status| *status == IndexStatus::Active)
    };
    table_is && indexes.iter().all(active)
}

/// What is wrong with the shape of the table, and what to do.
pub(super) fn problem(table: &TableDescription) -> Option<String> {
    const REMEDY: &str = "use another table, or delete this one when nothing needs it, and create \
                          it again";
    let expected = vec![(KEY.to_owned(), KeyType::Hash)];
    let keys = keys(table.key_schema());
    if keys != expected {
        let found = said(&keys);
        return Some(format!("has the key {found}, not {KEY} alone: {REMEDY}"));
    }
    let kinds = table.attribute_definitions();
    let wanted = attributes().unwrap_or_default();
    for attribute in &wanted {
        let (name, kind) = (attribute.attribute_name(), attribute.attribute_type());
        let found = kinds.iter().find(|known| known.attribute_name() == name);
        match found.map(|known| known.attribute_type()) {
            Some(known) if known == kind => {}
            Some(known) => {
                let known = known.as_str();
                let kind = kind.as_str();
                return Some(format!(
                    "has the attribute {name} of type {known}, not {kind}: {REMEDY}"
                ));
            }
            // The index that it is for is missing, and named below.
            None => {}
        }
    }
    INDEXES.into_iter().find_map(|index| {
        let why = problem_of(table, index)?;
        Some(format!("{why}: {REMEDY}"))
    })
}

fn problem_of(table: &TableDescription, index: Index) -> Option<String> {
    let (name, hash, sort, more) = index;
    let mut indexes = table.global_secondary_indexes().iter();
    let Some(found) = indexes.find(|found| found.index_name() == Some(name)) else {
        return Some(format!("lacks the index {name}"));
    };
    let expected = vec![
        (hash.to_owned(), KeyType::Hash),
        (sort.to_owned(), KeyType::Range),
    ];
    let keys = keys(found.key_schema());
    if keys != expected {
        let (found, expected) = (said(&keys), said(&expected));
        return Some(format!(
            "has the index {name} by {found}, not by {expected}"
        ));
    }
    let projection = found.projection();
    let is_all = projection.and_then(Projection::projection_type) == Some(&ProjectionType::All);
    let held = projection.map_or(&[][..], Projection::non_key_attributes);
    let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
    let lacking = more.iter().find(|name| !is_all && !held.contains(*name));
    lacking.map(|lacking| format!("has the index {name} without the attribute {lacking}"))
}

fn keys(schema: &[KeySchemaElement]) -> Vec<(String, KeyType)> {
    let keys = schema.iter();
    keys.map(|key| (key.attribute_name().to_owned(), key.key_type().clone()))
        .collect()
}

fn said(keys: &[(String, KeyType)]) -> String {
    let keys = keys.iter().map(|(name, kind)| match kind {
        KeyType::Range => format!("{name} (sort)"),
        _ => name.clone(),
    });
    keys.collect::<Vec<_>>().join(", ")
}
