use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::ask::ask;
use super::model::{at, b, n, query, table};
use super::pair::Pair;

#[test]
fn the_model_answers_every_sequence_of_requests_as_the_server_does() {
    let pair = std::cell::RefCell::new(Pair::new());
    let sequences = prop::collection::vec(ask(), 1..40);
    let config = ProptestConfig {
        failure_persistence: None,
        cases: 60,
        ..ProptestConfig::default()
    };
    proptest!(config, |(sequence in sequences)| {
        let mut pair = pair.borrow_mut();
        pair.begin();
        pair.compare("GetItem", &json!({ "Key": { "k": b(b"a") }, "ConsistentRead": true }))?;
        pair.compare("CreateTable", &table("table"))?;
        for (operation, body) in &sequence {
            pair.compare(operation, body)?;
        }
    });
}

#[test]
fn requests_that_are_too_large_are_refused_as_the_server_does() {
    let mut pair = Pair::new();
    let put = |key: u8, bytes: usize| {
        let item = json!({ "k": b(&[key]), "r": b(&vec![0; bytes]) });
        json!({ "Put": at(json!({ "Item": item })) })
    };
    let transaction = |parts: Vec<Json>| json!({ "TransactItems": parts });
    let keys = |most: u8| {
        let keys = (0..most).map(|key| json!({ "k": b(&[key]) }));
        let table = json!({ "Keys": keys.collect::<Vec<_>>(), "ConsistentRead": true });
        json!({ "RequestItems": { "table": table } })
    };
    for (operation, body) in [
        ("CreateTable", table("table")),
        ("CreateTable", table("table")),
        (
            "TransactWriteItems",
            transaction((0..100).map(|key| put(key, 1)).collect()),
        ),
        (
            "TransactWriteItems",
            transaction((0..101).map(|key| put(key, 1)).collect()),
        ),
        (
            "TransactWriteItems",
            transaction((0..11).map(|key| put(key, 400_000)).collect()),
        ),
        (
            "TransactWriteItems",
            transaction((0..7).map(|key| put(key, 400_000)).collect()),
        ),
        (
            "TransactWriteItems",
            transaction(vec![put(0, 1), put(1, 409_600)]),
        ),
        (
            "PutItem",
            json!({ "Item": { "k": b(b"k"), "r": b(&[0; 409_600 - 3]) } }),
        ),
        (
            "PutItem",
            json!({ "Item": { "k": b(b"k"), "r": b(&[0; 409_600 - 2]) } }),
        ),
        ("BatchGetItem", keys(100)),
        ("BatchGetItem", keys(101)),
    ] {
        pair.compare(operation, &body).expect("the same");
    }
}

#[test]
fn expressions_that_are_wrong_are_refused_as_the_server_does() {
    let mut pair = Pair::new();
    let item = json!({ "k": b(b"a") });
    let put = |more: Json| {
        let mut body = more;
        body["Item"] = item.clone();
        ("PutItem", body)
    };
    let page = |condition: &str, values: Json| {
        let mut body = query(json!({}), "timers", "t", b"g");
        body["KeyConditionExpression"] = condition.into();
        body["ExpressionAttributeValues"] = values;
        ("Query", body)
    };
    let two = json!({ ":group": b(b"g"), ":edge": n(1) });
    for (operation, body) in [
        ("CreateTable", table("table")),
        put(json!({ "ConditionExpression": "v = :v" })),
        put(json!({ "ConditionExpression": "v = :v", "ExpressionAttributeValues": {} })),
        put(json!({ "ExpressionAttributeValues": { ":v": n(1) } })),
        put(json!({
            "ConditionExpression": "attribute_not_exists(k)",
            "ExpressionAttributeValues": { ":v": n(1) },
        })),
        page("t = :group", two.clone()),
        page("t = :other", two.clone()),
        page("d = :edge AND t <= :group", two.clone()),
        page("w = :group AND d <= :edge", two.clone()),
        page("t = :group AND i <= :edge", two.clone()),
        page("t = :group AND d <= :group", json!({ ":group": b(b"g") })),
        ("Query", query(json!({}), "nothing", "t", b"g")),
        (
            "Query",
            query(json!({ "ExclusiveStartKey": item }), "timers", "t", b"g"),
        ),
    ] {
        pair.compare(operation, &body).expect("the same");
    }
}
