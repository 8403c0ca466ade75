//! What the credentials may not do with a table is found out, and changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use russet_backends::aws::{OpenError, Permissions};
use russet_backends::dynamodb::{ACTIONS, Dynamo, DynamoFound, DynamoOptions};
use russet_engine::{Outcome, SystemClock};
use russet_servers::Ministack;

use super::opening::{client, make};
use crate::servers::{Stubbed, create, table, task};
use crate::stub::{Reply, Stub, refusal};

const THROTTLED: Reply = Reply::Answer(400, |_| refusal("ProvisionedThroughputExceededException"));
const EXPIRED: Reply = Reply::Answer(400, |_| refusal("ExpiredTokenException"));
/// More than anything is tried.
const ALWAYS: usize = 20;

async fn examine(options: &DynamoOptions) -> Result<DynamoFound, OpenError> {
    Dynamo::examine(options, Arc::new(SystemClock)).await
}

/// A table on a server of its own, some of whose requests are denied.
struct Guarded {
    server: Ministack,
    stub: Stub,
    options: DynamoOptions,
}

impl Guarded {
    async fn start() -> Self {
        let (server, stub) = (Ministack::start(), Stub::new());
        let mut options = table(&server.url(), "russet", 1);
        options.aws.seams.http_client = Some(stub.client());
        make(&options).await;
        Self {
            server,
            stub,
            options,
        }
    }

    async fn permissions(&self) -> Permissions {
        let found = examine(&self.options).await;
        found.expect("it is looked at").permissions
    }

    /// What is said when these are denied, and only this.
    async fn denied(&self, denied: &[(&'static str, &str)]) -> String {
        self.stub.allow();
        for (action, on) in denied {
            self.stub.deny(action, on);
        }
        let found = self.permissions().await;
        assert_eq!(found.untried, None);
        let said = found.denied.expect("something is denied");
        let actions = said.strip_prefix("not allowed: ");
        let actions = actions.and_then(|said| said.split_once(" (AccessDeniedException: User: "));
        let (actions, rest) = actions.unwrap_or_else(|| panic!("it is said: {said}"));
        let remedy = "): allow them in the policies of these credentials";
        assert!(rest.ends_with(remedy), "{said}");
        actions.to_owned()
    }
}

type Item = HashMap<String, AttributeValue>;

async fn items(client: &aws_sdk_dynamodb::Client) -> Vec<Item> {
    let scanned = client.scan().table_name("russet").send().await;
    let mut items = scanned.expect("it is read").items.unwrap_or_default();
    items.sort_by_key(|item| format!("{:?}", item.get("k")));
    items
}

#[tokio::test]
async fn a_table_that_may_be_used_is_looked_at_without_a_change() {
    let world = Stubbed::start().await;
    let changes = vec![create(&task(1)), create(&task(2))];
    assert_eq!(world.commit(changes).await, Ok(Outcome::Committed));
    let client = client(&world.server.url());
    // Whoever opens it says in it that records may be newer now.
    let update = client.update_item().table_name("russet");
    let meta = AttributeValue::B(Blob::new([0xff, b'm']));
    let update = update.key("k", meta).update_expression("SET n = :one");
    let one = AttributeValue::N("1".into());
    let updated = update.expression_attribute_values(":one", one).send().await;
    updated.expect("it is written");
    let before = items(&client).await;
    assert!(before.len() >= 4, "{before:?}");
    let mut options = table(&world.server.url(), "russet", 1);
    let found = DynamoFound {
        partitions: Ok(1),
        permissions: Permissions::default(),
    };
    assert_eq!(examine(&options).await, Ok(found));
    assert_eq!(items(&client).await, before);
    options.partitions = Some(4);
    let found = examine(&options).await.expect("it is looked at");
    assert!(matches!(
        found.partitions,
        Err(OpenError::Partitions { .. })
    ));
    assert_eq!(found.permissions, Permissions::default());
    options.table = "nowhere".into();
    let error = examine(&options).await.expect_err("there is none");
    assert!(matches!(error, OpenError::NoTable { .. }), "{error:?}");
}

/// What one write would do the other could undo: so each is tried alone, with and without an
/// item under the key.
#[tokio::test]
async fn no_write_that_is_tried_is_done() {
    let world = Guarded::start().await;
    let client = client(&world.server.url());
    let key = || AttributeValue::B(Blob::new([0xff, b'-']));
    for is_there in [false, true] {
        if is_there {
            let put = client.put_item().table_name("russet").item("k", key());
            let put = put.item("x", AttributeValue::N("1".into())).send().await;
            put.expect("it is written");
        }
        let before = items(&client).await;
        assert_eq!(before.len(), if is_there { 2 } else { 1 });
        for undoes in ["dynamodb:PutItem", "dynamodb:DeleteItem"] {
            assert_eq!(world.denied(&[(undoes, "")]).await, undoes);
            assert_eq!(items(&client).await, before, "{undoes} was denied");
        }
    }
}

#[tokio::test]
async fn each_action_that_is_denied_is_named_alone() {
    let world = Guarded::start().await;
    for action in ACTIONS {
        let said = world.denied(&[(action, "")]).await;
        match action {
            "dynamodb:Query" => assert_eq!(said, "dynamodb:Query on index/*"),
            action => assert_eq!(said, action),
        }
    }
}

#[tokio::test]
async fn all_that_is_denied_is_named_at_once() {
    let world = Guarded::start().await;
    let some = [
        ("dynamodb:Query", "index/timers"),
        ("dynamodb:PutItem", "TransactWriteItems"),
        ("dynamodb:DeleteItem", ""),
        ("dynamodb:ConditionCheckItem", ""),
    ];
    assert_eq!(
        world.denied(&some).await,
        "dynamodb:ConditionCheckItem, dynamodb:DeleteItem, dynamodb:PutItem in \
         TransactWriteItems, dynamodb:Query on index/timers"
    );
    let two = [
        ("dynamodb:Query", "index/listings"),
        ("dynamodb:Query", "index/workflows"),
        ("dynamodb:DeleteItem", "TransactWriteItems"),
    ];
    assert_eq!(
        world.denied(&two).await,
        "dynamodb:DeleteItem in TransactWriteItems, dynamodb:Query on index/listings and \
         index/workflows"
    );
    let mut all: Vec<&str> = ACTIONS.to_vec();
    all.sort_unstable();
    let said = world.denied(&ACTIONS.map(|action| (action, ""))).await;
    assert_eq!(said.replace(" on index/*", ""), all.join(", "));
}

#[tokio::test]
async fn what_could_not_be_tried_is_neither_allowed_nor_denied() {
    let world = Guarded::start().await;
    for (kind, reply) in [
        ("BatchGetItem", THROTTLED),
        ("PutItem", Reply::Reset),
        ("DeleteItem", EXPIRED),
    ] {
        world.stub.on(kind, ALWAYS, reply);
    }
    let found = world.permissions().await;
    assert_eq!(found.denied, None);
    let said = found.untried.expect("three were not tried");
    let start = "whether it is allowed could not be tried: dynamodb:BatchGetItem, \
                 dynamodb:DeleteItem, dynamodb:PutItem (";
    assert!(said.starts_with(start), "{said}");
}

/// It is not their policies that lack something.
#[tokio::test]
async fn credentials_that_nobody_knows_are_an_error() {
    let world = Guarded::start().await;
    for kind in ["DescribeTable", "GetItem", "Query"] {
        world.stub.on(kind, ALWAYS, EXPIRED);
    }
    let error = examine(&world.options).await.expect_err("they are expired");
    assert!(matches!(error, OpenError::Denied { .. }), "{error:?}");
    assert!(
        error.to_string().contains("check the credentials"),
        "{error}"
    );
}
