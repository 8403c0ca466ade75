//! Finding the table, and whether it is ours.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::TableDescription;
use russet_core::codec;
use russet_core::limits::PARTITIONS_MAX;
use russet_engine::Clock;

use super::item::{self, Item, KEY};
use super::{DynamoOptions, shape};
use crate::aws::{OpenError, Pauses, connect};
use crate::limits::{DYNAMO_TIMEOUT, DYNAMO_TRIES};

/// How a table is created.
const CREATE: &str = "`russet config create`";
/// What to do about a table that was not finished.
const FINISH: &str = "create it again, which finishes what was begun";

/// DynamoDB, and how to speak of it.
pub(super) struct Reached {
    pub(super) client: Client,
    pub(super) pauses: Pauses,
    pub(super) endpoint: String,
}

pub(super) async fn reach(
    options: &DynamoOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Reached, OpenError> {
    check_options(options)?;
    let connection = connect(&options.aws, clock, DYNAMO_TIMEOUT).await?;
    Ok(Reached {
        client: Client::new(&connection.config),
        pauses: connection.pauses,
        endpoint: connection.endpoint,
    })
}

fn check_options(options: &DynamoOptions) -> Result<(), OpenError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let table = &options.table;
    if !(3..=255).contains(&table.len()) || !table.bytes().all(is_name) {
        return Err(OpenError::Setting {
            setting: "table",
            problem: "is no name of a table: use 3 to 255 of A-Z a-z 0-9 . _ -",
        });
    }
    if options
        .partitions
        .is_some_and(|n| !(1..=PARTITIONS_MAX).contains(&n))
    {
        return Err(OpenError::Setting {
            setting: "partitions",
            problem: "is out of range: set it to 1 to 4096",
        });
    }
    Ok(())
}

/// How many partitions the table has, once it was found to be one of ours. From now on records of
/// this version's format may stand in it: the table says so, and older versions refuse it.
pub(super) async fn enter(reached: &Reached, options: &DynamoOptions) -> Result<u16, OpenError> {
    for _ in 1..DYNAMO_TRIES {
        let meta = check(reached, options).await?;
        let known = item::number_of(&meta, item::RECORDS);
        let is_said = known.is_some_and(|known| known >= codec::FORMAT.into());
        if is_said || raise(reached, &options.table, meta.clone(), known).await? {
            return partitions(&meta, options);
        }
    }
    Err(OpenError::Shape {
        table: options.table.clone(),
        problem: "changes all the time: try again when other nodes have started".to_owned(),
    })
}

/// Writes down this version's format of records, unless another one than `known` stands there.
async fn raise(
    reached: &Reached,
    table: &str,
    meta: Item,
    known: Option<u64>,
) -> Result<bool, OpenError> {
    const ACTION: &str = "dynamodb:PutItem";
    let ask = || {
        let request = reached.client.put_item().table_name(table);
        let request = request
            .set_item(Some(meta.clone()))
            .item(item::RECORDS, item::number(codec::FORMAT.into()));
        match known {
            None => request.condition_expression("attribute_not_exists(n)"),
            Some(known) => request
                .condition_expression("n = :n")
                .expression_attribute_values(":n", item::number(known)),
        }
        .send()
    };
    match reached.pauses.again(DYNAMO_TRIES, ask).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.is("ConditionalCheckFailedException") => Ok(false),
        Err(fault) => Err(OpenError::of(fault, ACTION, &reached.endpoint)),
    }
}

/// The item that says how the table was made, once it was found to be one of ours.
pub(super) async fn check(reached: &Reached, options: &DynamoOptions) -> Result<Item, OpenError> {
    let table = || options.table.clone();
    let Some(found) = describe(reached, &options.table).await? else {
        let create = CREATE;
        return Err(OpenError::NoTable {
            table: table(),
            create,
        });
    };
    let problem = shape::problem(&found).or_else(|| {
        let waiting = "is still being made, or deleted: wait, and try again".to_owned();
        (!shape::is_active(&found)).then_some(waiting)
    });
    if let Some(problem) = problem {
        return Err(OpenError::Shape {
            table: table(),
            problem,
        });
    }
    let Some(meta) = read_meta(reached, &options.table).await? else {
        let problem = format!("was not finished by whoever made it: {FINISH}");
        return Err(OpenError::Shape {
            table: table(),
            problem,
        });
    };
    partitions(&meta, options)?;
    Ok(meta)
}

/// The table, if it exists.
pub(super) async fn describe(
    reached: &Reached,
    table: &str,
) -> Result<Option<TableDescription>, OpenError> {
    const ACTION: &str = "dynamodb:DescribeTable";
    let ask = || reached.client.describe_table().table_name(table).send();
    match reached.pauses.again(DYNAMO_TRIES, ask).await {
        Ok(described) => Ok(described.table),
        Err(fault) if fault.is("ResourceNotFoundException") => Ok(None),
        Err(fault) => Err(OpenError::of(fault, ACTION, &reached.endpoint)),
    }
}

/// The item that says how the table was made.
async fn read_meta(reached: &Reached, table: &str) -> Result<Option<Item>, OpenError> {
    const ACTION: &str = "dynamodb:GetItem";
    let ask = || {
        let request = reached.client.get_item().table_name(table);
        let request = request.key(KEY, item::bytes(item::meta_key()));
        request.consistent_read(true).send()
    };
    match reached.pauses.again(DYNAMO_TRIES, ask).await {
        Ok(found) => Ok(found.item),
        Err(fault) => Err(OpenError::of(fault, ACTION, &reached.endpoint)),
    }
}

/// How many partitions the table has, once it was found to be readable and as wanted.
pub(super) fn partitions(meta: &Item, options: &DynamoOptions) -> Result<u16, OpenError> {
    let table = || options.table.clone();
    let format = item::number_of(meta, item::FORMAT);
    let records = item::number_of(meta, item::RECORDS);
    for (found, known) in [(format, shape::FORMAT), (records, codec::FORMAT.into())] {
        if let Some(found) = found.filter(|found| *found > known) {
            return Err(OpenError::Newer {
                table: table(),
                found,
                known,
            });
        }
    }
    let stored = item::number_of(meta, item::PARTITIONS);
    let stored = stored.and_then(|n| u16::try_from(n).ok());
    let stored = stored.filter(|n| (1..=PARTITIONS_MAX).contains(n));
    match (format, stored, options.partitions) {
        (Some(_), Some(stored), wanted) => match wanted.filter(|wanted| *wanted != stored) {
            None => Ok(stored),
            Some(wanted) => Err(OpenError::Partitions {
                table: table(),
                stored,
                wanted,
            }),
        },
        _ => Err(OpenError::Shape {
            table: table(),
            problem: "does not say how it was made: restore it from a backup".to_owned(),
        }),
    }
}
