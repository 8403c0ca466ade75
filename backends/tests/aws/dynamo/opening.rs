//! What is wrong is said when a table is opened.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use russet_backends::aws::OpenError;
use russet_backends::dynamodb::{Dynamo, DynamoOptions};
use russet_engine::{Store, SystemClock};
use russet_servers::{Ministack, free_port};
use serde_json::json;

use crate::servers::{aws, table};
use crate::stub::{Reply, Stub};

async fn open(options: &DynamoOptions) -> Result<Arc<Dynamo>, OpenError> {
    Dynamo::open(options.clone(), Arc::new(SystemClock)).await
}

async fn refused(options: &DynamoOptions) -> OpenError {
    open(options).await.expect_err("it is refused")
}

pub async fn make(options: &DynamoOptions) {
    let made = Dynamo::create_table(options, Arc::new(SystemClock)).await;
    made.expect("the table is made");
}

pub fn client(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .http_client(Stub::new().client());
    Client::from_conf(config.build())
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    let key = KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind);
    key.build().expect("a key")
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute
        .attribute_type(kind)
        .build()
        .expect("an attribute")
}

#[tokio::test]
async fn a_table_is_made_once_and_keeps_what_it_was_made_with() {
    let server = Ministack::start();
    let options = table(&server.url(), "russet", 3);
    make(&options).await;
    make(&options).await;
    let any = DynamoOptions {
        partitions: None,
        ..options.clone()
    };
    make(&any).await;
    let store = open(&any).await.expect("it is opened");
    assert_eq!(store.partitions(), 3);
    let other = table(&server.url(), "russet", 4);
    for error in [
        refused(&other).await,
        Dynamo::create_table(&other, Arc::new(SystemClock))
            .await
            .expect_err("it has 3"),
    ] {
        let said = error.to_string();
        assert!(said.contains("has 3 partitions, not 4"), "{said}");
    }
}

#[tokio::test]
async fn a_table_that_is_missing_or_of_another_shape_is_named() {
    let server = Ministack::start();
    let (url, client) = (server.url(), client(&server.url()));
    let said = refused(&table(&url, "nowhere", 1)).await.to_string();
    assert_eq!(
        said,
        "there is no table \"nowhere\": check table and the region, or make it with `russet config \
         create`"
    );

    let made = client
        .create_table()
        .table_name("sorted")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("k", KeyType::Hash))
        .key_schema(key("z", KeyType::Range))
        .attribute_definitions(attribute("k", ScalarAttributeType::B))
        .attribute_definitions(attribute("z", ScalarAttributeType::B))
        .send()
        .await;
    made.expect("it is made");
    let said = refused(&table(&url, "sorted", 1)).await.to_string();
    assert!(
        said.contains("has the key k, z (sort), not k alone"),
        "{said}"
    );

    let made = client
        .create_table()
        .table_name("text")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("k", KeyType::Hash))
        .attribute_definitions(attribute("k", ScalarAttributeType::S))
        .send()
        .await;
    made.expect("it is made");
    let said = refused(&table(&url, "text", 1)).await.to_string();
    assert!(said.contains("the attribute k of type S, not B"), "{said}");

    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly);
    let timers = GlobalSecondaryIndex::builder()
        .index_name("timers")
        .key_schema(key("t", KeyType::Hash))
        .key_schema(key("d", KeyType::Range))
        .projection(keys_only.build())
        .build();
    let made = client
        .create_table()
        .table_name("lacking")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("k", KeyType::Hash))
        .attribute_definitions(attribute("k", ScalarAttributeType::B))
        .attribute_definitions(attribute("t", ScalarAttributeType::B))
        .attribute_definitions(attribute("d", ScalarAttributeType::N))
        .global_secondary_indexes(timers.expect("an index"))
        .send()
        .await;
    made.expect("it is made");
    for error in [
        refused(&table(&url, "lacking", 1)).await,
        Dynamo::create_table(&table(&url, "lacking", 1), Arc::new(SystemClock))
            .await
            .expect_err("it stays as it is"),
    ] {
        let said = error.to_string();
        assert!(said.contains("lacks the index listings"), "{said}");
    }
}

#[tokio::test]
async fn a_table_that_was_not_finished_or_is_newer_is_named() {
    let server = Ministack::start();
    let (options, client) = (table(&server.url(), "russet", 1), client(&server.url()));
    make(&options).await;
    let meta = AttributeValue::B(Blob::new([0xff, b'm']));
    let found = client
        .get_item()
        .table_name("russet")
        .key("k", meta.clone());
    let found = found.send().await.expect("it is read").item;
    let found = found.expect("it says how it was made");
    for (name, value, says) in [
        (
            "f",
            Some("2"),
            "has format 2, this version reads up to 1: upgrade",
        ),
        (
            "n",
            Some("200"),
            "has format 200, this version reads up to 3: upgrade",
        ),
        ("p", Some("0"), "does not say how it was made"),
        ("f", None, "does not say how it was made"),
    ] {
        let mut changed = found.clone();
        match value {
            Some(value) => changed.insert(name.into(), AttributeValue::N(value.into())),
            None => changed.remove(name),
        };
        let put = client
            .put_item()
            .table_name("russet")
            .set_item(Some(changed));
        put.send().await.expect("it is written");
        let said = refused(&options).await.to_string();
        assert!(said.contains(says), "{said}");
    }
    let delete = client.delete_item().table_name("russet").key("k", meta);
    delete.send().await.expect("it is removed");
    let said = refused(&options).await.to_string();
    assert!(said.contains("was not finished"), "{said}");
    make(&options).await;
    open(&options).await.expect("it is finished");
}

#[tokio::test]
async fn a_table_of_an_older_format_is_refused_by_older_versions_once_this_one_has_opened_it() {
    let server = Ministack::start();
    let (options, client) = (table(&server.url(), "russet", 1), client(&server.url()));
    make(&options).await;
    let meta = AttributeValue::B(Blob::new([0xff, b'm']));
    let read = async || {
        let found = client.get_item().table_name("russet");
        let found = found.key("k", meta.clone()).send().await;
        found.expect("it is read").item.expect("it is there")
    };
    let made = read().await;
    for older in [Some("1"), None] {
        let mut changed = made.clone();
        match older {
            Some(older) => changed.insert("n".into(), AttributeValue::N(older.into())),
            None => changed.remove("n"),
        };
        let put = client.put_item().table_name("russet");
        let put = put.set_item(Some(changed)).send().await;
        put.expect("it is written");
        open(&options).await.expect("it is read");
        assert_eq!(read().await, made);
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_with_its_setting() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let error = refused(&table(&url, "russet", 1)).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains(&url) && said.contains("endpoint_url"),
        "{said}"
    );
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let stub = Stub::new();
    stub.on(
        "DescribeTable",
        1,
        Reply::Answer(400, |_| {
            json!({
                "__type": "com.amazon.coral.service#AccessDeniedException",
                "Message": "User: someone is not authorized to perform: dynamodb:DescribeTable",
            })
        }),
    );
    let mut options = table("http://127.0.0.1:1", "russet", 1);
    options.aws.seams.http_client = Some(stub.client());
    let error = refused(&options).await;
    assert!(matches!(error, OpenError::Denied { .. }), "{error:?}");
    assert!(
        error.to_string().contains("grant dynamodb:DescribeTable"),
        "{error}"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let mut options = table("http://127.0.0.1:1", "x", 1);
    assert!(
        refused(&options)
            .await
            .to_string()
            .starts_with("table is no name")
    );
    options.table = "russet".into();
    options.partitions = Some(0);
    assert!(
        refused(&options)
            .await
            .to_string()
            .starts_with("partitions is out")
    );
    options.partitions = None;
    options.aws = aws("127.0.0.1");
    assert!(
        refused(&options)
            .await
            .to_string()
            .starts_with("endpoint_url has no")
    );
}
