//! Making the table.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::BillingMode;

use russet_core::codec;

use super::item::{self, KEY};
use super::open::{Reached, check, describe};
use super::{DynamoOptions, shape};
use crate::aws::{OpenError, fault};
use crate::limits::{DYNAMO_CREATE_POLL, DYNAMO_CREATE_TIMEOUT, DYNAMO_TRIES};

/// What makes a table, as policies name it.
pub(super) const ACTION: &str = "dynamodb:CreateTable";

pub(super) async fn create(reached: &Reached, options: &DynamoOptions) -> Result<(), OpenError> {
    let table = &options.table;
    if describe(reached, table).await?.is_none() {
        let request = request(reached, table).map_err(|error| OpenError::Refused {
            action: ACTION,
            why: error.to_string(),
        })?;
        if let Err(error) = request.send().await {
            let fault = fault(&error);
            // Somebody else makes it at the same time.
            if !fault.is("ResourceInUseException") {
                return Err(OpenError::of(fault, ACTION, &reached.endpoint));
            }
        }
    }
    wait(reached, table).await?;
    write_meta(reached, options).await?;
    check(reached, options).await.map(drop)
}

fn request(reached: &Reached, table: &str) -> Result<CreateTableFluentBuilder, BuildError> {
    let request = reached.client.create_table().table_name(table);
    Ok(request
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(shape::key()?)
        .set_attribute_definitions(Some(shape::attributes()?))
        .set_global_secondary_indexes(Some(shape::indexes()?)))
}

/// Waits until the table can be used.
async fn wait(reached: &Reached, table: &str) -> Result<(), OpenError> {
    let shape = |problem: String| OpenError::Shape {
        table: table.to_owned(),
        problem,
    };
    let looks = DYNAMO_CREATE_TIMEOUT.as_millis() / DYNAMO_CREATE_POLL.as_millis();
    for _ in 0..looks {
        let found = describe(reached, table).await?;
        if let Some(found) = found.as_ref().filter(|found| shape::is_active(found)) {
            return match shape::problem(found) {
                Some(problem) => Err(shape(problem)),
                None => Ok(()),
            };
        }
        reached.pauses.sleep(DYNAMO_CREATE_POLL).await;
    }
    let seconds = DYNAMO_CREATE_TIMEOUT.as_secs();
    Err(shape(format!(
        "could not be used after {seconds} s: look at it in the AWS console, and try again"
    )))
}

/// Writes how the table was made, unless it says so already.
async fn write_meta(reached: &Reached, options: &DynamoOptions) -> Result<(), OpenError> {
    const ACTION: &str = "dynamodb:PutItem";
    let partitions = options.partitions.unwrap_or(1);
    let ask = || {
        let request = reached.client.put_item().table_name(&options.table);
        request
            .item(KEY, item::bytes(item::meta_key()))
            .item(item::FORMAT, item::number(shape::FORMAT))
            .item(item::PARTITIONS, item::number(partitions.into()))
            .item(item::RECORDS, item::number(codec::FORMAT.into()))
            .condition_expression("attribute_not_exists(k)")
            .send()
    };
    match reached.pauses.again(DYNAMO_TRIES, ask).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.is("ConditionalCheckFailedException") => Ok(()),
        Err(fault) => Err(OpenError::of(fault, ACTION, &reached.endpoint)),
    }
}
