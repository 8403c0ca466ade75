//! Whether the credentials may do all that a store does. Writes are tried with a condition that
//! cannot hold, on a key that nothing has.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem,
};
use aws_smithy_types::error::operation::BuildError;

use super::item::{self, KEY};
use super::open::Reached;
use super::shape;
use crate::aws::{Fault, Permissions, Trials};
use crate::limits::DYNAMO_TRIES;

/// What a policy must allow for a store to run, on the table and its indexes.
pub const ACTIONS: [&str; 7] = [DESCRIBE, GET, BATCH_GET, QUERY, PUT, DELETE, CHECK];
/// What a policy must allow in addition for [`Dynamo::create_table`](super::Dynamo::create_table).
pub const CREATE_ACTIONS: [&str; 1] = [super::create::ACTION];

const DESCRIBE: &str = "dynamodb:DescribeTable";
const GET: &str = "dynamodb:GetItem";
const BATCH_GET: &str = "dynamodb:BatchGetItem";
const QUERY: &str = "dynamodb:Query";
const PUT: &str = "dynamodb:PutItem";
const DELETE: &str = "dynamodb:DeleteItem";
const CHECK: &str = "dynamodb:ConditionCheckItem";
/// A policy can allow them alone and not in transactions.
const PUT_TOGETHER: &str = "dynamodb:PutItem in TransactWriteItems";
const DELETE_TOGETHER: &str = "dynamodb:DeleteItem in TransactWriteItems";

/// No item has another key than the one that it is written under.
const NEVER: &str = "k = :other";
const OTHER: &str = ":other";

/// Tries each action on the table, and changes nothing.
pub(super) async fn tried(reached: &Reached, table: &str) -> Permissions {
    let on = Attempt { reached, table };
    let queries = shape::groups().map(async |(index, group)| (index, on.query(index, group).await));
    let (describe, get, batch_get, queries, put, delete, put_together, delete_together, check) = futures::join!(
        on.describe(),
        on.get(),
        on.batch_get(),
        futures::future::join_all(queries),
        on.put(),
        on.delete(),
        on.together(on.transacted_put()),
        on.together(on.transacted_delete()),
        on.together(on.transacted_check()),
    );
    let mut trials = Trials::new("index/*");
    trials.note(DESCRIBE, "", &describe);
    trials.note(GET, "", &get);
    trials.note(BATCH_GET, "", &batch_get);
    for (index, answer) in queries {
        trials.note(QUERY, &format!("index/{index}"), &answer);
    }
    for (action, alone, in_transactions, together) in [
        (PUT, put, PUT_TOGETHER, put_together),
        (DELETE, delete, DELETE_TOGETHER, delete_together),
    ] {
        trials.note(action, "", &alone);
        if alone.is_ok() || alone.is_err_and(|fault| !fault.is_forbidden()) {
            trials.note(in_transactions, "", &together);
        }
    }
    trials.note(CHECK, "", &check);
    trials.found()
}

/// A table on which something is tried.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    reached: &'a Reached,
    table: &'a str,
}

type Answer = Result<(), Fault>;

impl Attempt<'_> {
    async fn describe(self) -> Answer {
        let ask = || {
            self.reached
                .client
                .describe_table()
                .table_name(self.table)
                .send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    async fn get(self) -> Answer {
        let ask = || {
            let request = self.reached.client.get_item().table_name(self.table);
            request.key(KEY, nobody()).consistent_read(true).send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    async fn batch_get(self) -> Answer {
        let keys = KeysAndAttributes::builder().keys(item::only_key(item::nobody_key()));
        let keys = keys.consistent_read(true).build().map_err(unsent)?;
        let ask = || {
            let request = self.reached.client.batch_get_item();
            request.request_items(self.table, keys.clone()).send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    async fn query(self, index: &str, group: &str) -> Answer {
        let ask = || {
            let request = self.reached.client.query().table_name(self.table);
            request
                .index_name(index)
                .key_condition_expression(format!("{group} = :group"))
                .expression_attribute_values(":group", nobody())
                .limit(1)
                .send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    async fn put(self) -> Answer {
        let ask = || {
            let request = self.reached.client.put_item().table_name(self.table);
            let request = request.item(KEY, nobody()).condition_expression(NEVER);
            request.expression_attribute_values(OTHER, other()).send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    async fn delete(self) -> Answer {
        let ask = || {
            let request = self.reached.client.delete_item().table_name(self.table);
            let request = request.key(KEY, nobody()).condition_expression(NEVER);
            request.expression_attribute_values(OTHER, other()).send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    /// A transaction of one part: so a refusal is that of its action.
    async fn together(self, part: Result<TransactWriteItem, BuildError>) -> Answer {
        let part = part.map_err(unsent)?;
        let ask = || {
            let request = self.reached.client.transact_write_items();
            request.transact_items(part.clone()).send()
        };
        self.reached.pauses.again(DYNAMO_TRIES, ask).await.map(drop)
    }

    fn transacted_put(self) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder().table_name(self.table).item(KEY, nobody());
        let put = put.condition_expression(NEVER);
        let put = put.expression_attribute_values(OTHER, other()).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn transacted_delete(self) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder().table_name(self.table).key(KEY, nobody());
        let delete = delete.condition_expression(NEVER);
        let delete = delete.expression_attribute_values(OTHER, other()).build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn transacted_check(self) -> Result<TransactWriteItem, BuildError> {
        let check = ConditionCheck::builder().table_name(self.table);
        let check = check.key(KEY, nobody()).condition_expression(NEVER);
        let check = check.expression_attribute_values(OTHER, other()).build()?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

fn nobody() -> AttributeValue {
    item::bytes(item::nobody_key())
}

fn other() -> AttributeValue {
    item::bytes(item::meta_key())
}

fn unsent(error: BuildError) -> Fault {
    Fault::Unsent(error.to_string())
}
