use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnConsumedCapacity, TransactWriteItem,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::operation::BuildError;
use russet_core::planted;

use super::super::item::{self, KEY};
use super::super::{Dynamo, fail};
use super::Ended;
use super::prepare::{Prepared, Write};
use crate::aws::{Fault, fault};
use crate::limits::DYNAMO_TRIES;

const ABSENT: &str = "attribute_not_exists(k)";
const UNCHANGED: &str = "v = :v";
const EXPECTED: &str = ":v";

/// What became of one try.
enum Tried {
    Ended(Ended),
    /// Another transaction was writing to the same items; nothing was changed.
    Busy,
    /// There was no capacity; nothing was changed.
    Throttled(String),
}

impl Dynamo {
    /// Commits one transaction; waits and tries again while nothing can have been changed.
    pub(super) async fn send(&self, prepared: Prepared) -> Ended {
        let Prepared { version, writes } = prepared;
        let mut tries = 0;
        loop {
            let tried = match writes.as_slice() {
                [] => return Ended::Committed,
                [Write::Create(_) | Write::Replace(..) | Write::Remove(..)] => {
                    self.alone(writes[0].clone()).await
                }
                several => self.together(version.0, several).await,
            };
            tries += 1;
            let last = tries >= DYNAMO_TRIES;
            match tried {
                Tried::Ended(ended) => return ended,
                Tried::Busy if last => return Ended::Conflict,
                Tried::Throttled(why) if last => return Ended::Failed(why),
                Tried::Busy | Tried::Throttled(_) => self.pauses.after(tries).await,
            }
        }
    }

    /// A conditional write of one item: half the units of a transaction.
    async fn alone(&self, write: Write) -> Tried {
        self.meter.called();
        let indexes = ReturnConsumedCapacity::Indexes;
        let (item, before) = match write {
            Write::Create(item) => (item, None),
            Write::Replace(item, before) => (item, Some(before)),
            Write::Remove(place, before) => {
                let request = self.client.delete_item().table_name(&self.table);
                let request = request
                    .key(KEY, item::bytes(place))
                    .condition_expression(UNCHANGED)
                    .expression_attribute_values(EXPECTED, item::bytes(before.0.to_be_bytes()));
                let done = request.return_consumed_capacity(indexes).send().await;
                return match done {
                    Ok(done) => self.done(done.consumed_capacity.as_slice()),
                    Err(error) => tried(fault(&error)),
                };
            }
            Write::Absent(_) => return Tried::Ended(Ended::Conflict),
        };
        let request = self.client.put_item().table_name(&self.table);
        let request = request.set_item(Some(item));
        let request = match before {
            Some(_) if planted!(DynamoUnconditional) => request,
            None => request.condition_expression(ABSENT),
            Some(before) => request
                .condition_expression(UNCHANGED)
                .expression_attribute_values(EXPECTED, item::bytes(before.0.to_be_bytes())),
        };
        match request.return_consumed_capacity(indexes).send().await {
            Ok(done) => self.done(done.consumed_capacity.as_slice()),
            Err(error) => tried(fault(&error)),
        }
    }

    /// A transaction. Its token is its version: should the request arrive twice, it happens once.
    async fn together(&self, version: u64, writes: &[Write]) -> Tried {
        let items: Result<Vec<_>, _> = writes.iter().map(|write| self.part(write)).collect();
        let items = match items {
            Ok(items) => items,
            Err(error) => return Tried::Ended(Ended::Failed(error.to_string())),
        };
        self.meter.called();
        let request = self.client.transact_write_items();
        let done = request
            .set_transact_items(Some(items))
            .client_request_token(format!("{version:016x}"))
            .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
            .send()
            .await;
        match done {
            Ok(done) => self.done(done.consumed_capacity()),
            Err(error) => cancelled(&error).unwrap_or_else(|| tried(fault(&error))),
        }
    }

    fn part(&self, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let part = TransactWriteItem::builder();
        let expected = |version: u64| item::bytes(version.to_be_bytes());
        let part = match write {
            Write::Create(item) => {
                let put = Put::builder().table_name(&self.table);
                let put = put.set_item(Some(item.clone()));
                part.put(put.condition_expression(ABSENT).build()?)
            }
            Write::Replace(item, before) => {
                let put = Put::builder().table_name(&self.table);
                let put = put.set_item(Some(item.clone()));
                let put = match planted!(DynamoPartUnconditional) {
                    true => put,
                    false => put
                        .condition_expression(UNCHANGED)
                        .expression_attribute_values(EXPECTED, expected(before.0)),
                };
                part.put(put.build()?)
            }
            Write::Remove(place, before) => {
                let delete = Delete::builder().table_name(&self.table);
                let delete = delete.key(KEY, item::bytes(place.as_slice()));
                let delete = delete.condition_expression(UNCHANGED);
                let delete = delete.expression_attribute_values(EXPECTED, expected(before.0));
                part.delete(delete.build()?)
            }
            Write::Absent(place) => {
                let check = ConditionCheck::builder().table_name(&self.table);
                let check = check.key(KEY, item::bytes(place.as_slice()));
                part.condition_check(check.condition_expression(ABSENT).build()?)
            }
        };
        Ok(part.build())
    }

    fn done(&self, consumed: &[aws_sdk_dynamodb::types::ConsumedCapacity]) -> Tried {
        self.meter.write_units(consumed);
        Tried::Ended(Ended::Committed)
    }
}

/// What the reasons say for which a transaction was cancelled; `None` when it was not.
fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Option<Tried> {
    let service = error.as_service_error()?;
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = service else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons();
    let given = |code: &str| reasons.iter().find(|reason| reason.code() == Some(code));
    let said = |code: &str| {
        let reason = given(code)?;
        let message = reason.message().unwrap_or("no reason was given");
        Some(format!("DynamoDB: {code}: {message}"))
    };
    if given("ConditionalCheckFailed").is_some() {
        return Some(Tried::Ended(Ended::Conflict));
    }
    let refused = ["ValidationError", "ItemCollectionSizeLimitExceeded"];
    if let Some(why) = refused.into_iter().find_map(said) {
        return Some(Tried::Ended(Ended::Failed(why)));
    }
    if given("TransactionConflict").is_some() {
        return Some(Tried::Busy);
    }
    let throttled = ["ThrottlingError", "ProvisionedThroughputExceeded"];
    let why = throttled.into_iter().find_map(said);
    Some(match why {
        Some(why) => Tried::Throttled(why),
        None => Tried::Ended(Ended::Failed(format!(
            "DynamoDB cancelled a transaction: {:?}",
            reasons.iter().filter_map(|r| r.code()).collect::<Vec<_>>()
        ))),
    })
}

fn tried(fault: Fault) -> Tried {
    if fault.is("ConditionalCheckFailedException") {
        return Tried::Ended(Ended::Conflict);
    }
    if [
        "TransactionConflictException",
        "ReplicatedWriteConflictException",
    ]
    .iter()
    .any(|name| fault.is(name))
    {
        return Tried::Busy;
    }
    // The same request is still being worked on.
    if fault.is("TransactionInProgressException") {
        return Tried::Ended(Ended::Lost(fail::said(&fault)));
    }
    match &fault {
        Fault::Throttled(_) => Tried::Throttled(fail::said(&fault)),
        Fault::Lost(_) => Tried::Ended(Ended::Lost(fail::said(&fault))),
        Fault::Refused { .. } | Fault::Unsent(_) => Tried::Ended(Ended::Failed(fail::said(&fault))),
    }
}
