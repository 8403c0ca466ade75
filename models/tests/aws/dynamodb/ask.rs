use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::model::{at, b, n, query, with};

fn one_in(share: u32, other: Json) -> impl Strategy<Value = Option<Json>> {
    prop_oneof![share => Just(None), 1 => Just(Some(other))]
}

fn key() -> impl Strategy<Value = u8> {
    b'a'..b'h'
}

/// The key of an item, seldom one that cannot be one.
fn key_of() -> impl Strategy<Value = Json> {
    let wrong = prop_oneof![
        Just(json!({ "k": n(1) })),
        Just(json!({ "k": b(b"") })),
        Just(json!({})),
        Just(json!({ "k": b(b"a"), "v": n(1) })),
        Just(json!({ "k": b(&[7; 2049]) })),
    ];
    prop_oneof![30 => key().prop_map(|key| json!({ "k": b(&[key]) })), 1 => wrong]
}

/// A key in a transaction: of what is no key there the server only finds wrong types.
fn key_of_part() -> impl Strategy<Value = Json> {
    prop_oneof![30 => key().prop_map(|key| json!({ "k": b(&[key]) })), 1 => Just(json!({ "k": n(1) }))]
}

fn group() -> impl Strategy<Value = Vec<u8>> {
    select(vec![b"g".to_vec(), b"hh".to_vec()])
}

/// An item. What it is sorted by in indexes is its own.
fn item() -> impl Strategy<Value = Json> {
    let index = || prop::option::weighted(0.7, group());
    let wrong = prop_oneof![
        Just(("d", b(b"x"))),
        Just(("t", b(b""))),
        Just(("l", n(3))),
        Just(("k", b(b""))),
        Just(("k", n(0))),
        Just(("k", Json::Null)),
        Just(("r", b(&[0; 400 * 1024]))),
    ];
    let wrong = prop_oneof![20 => Just(None), 1 => wrong.prop_map(Some)];
    let parts = (
        key(),
        0..4u8,
        index(),
        index(),
        index(),
        any::<bool>(),
        wrong,
    );
    parts.prop_map(|(key, version, timers, listed, workflow, ready, wrong)| {
        let mut item = json!({ "k": b(&[key]), "v": b(&[version]), "i": b(&[version, key]) });
        item["d"] = n(i64::from(version) * 1_000 - i64::from(key));
        for (name, value) in [("t", timers), ("l", listed), ("w", workflow)] {
            if let Some(value) = value {
                item[name] = b(&value);
            }
        }
        if ready {
            item["y"] = n(key.into());
        }
        if let Some((name, value)) = wrong {
            item[name] = value;
        }
        if let Json::Object(item) = &mut item {
            item.retain(|_, value| !value.is_null());
        }
        item
    })
}

/// A condition, and whether the item is told.
fn condition() -> impl Strategy<Value = Json> {
    let condition = prop_oneof![
        2 => Just(json!({ "ConditionExpression": "attribute_not_exists(k)" })),
        4 => (0..4u8).prop_map(|version| json!({
            "ConditionExpression": "v = :v",
            "ExpressionAttributeValues": { ":v": b(&[version]) },
        })),
    ];
    (condition, any::<bool>()).prop_map(|(mut condition, told)| {
        if told {
            condition["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
        }
        condition
    })
}

fn put() -> impl Strategy<Value = Json> {
    let condition = prop_oneof![Just(json!({})), condition()];
    (condition, item()).prop_map(|(body, item)| with(body, "Item", item))
}

fn delete(key: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let condition = prop_oneof![Just(json!({})), condition()];
    (condition, key).prop_map(|(body, key)| with(body, "Key", key))
}

fn part() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => put()
            .prop_filter("a key", |put| put["Item"]["k"].is_object())
            .prop_map(|put| json!({ "Put": at(put) })),
        1 => delete(key_of_part()).prop_map(|delete| json!({ "Delete": at(delete) })),
        1 => (condition(), key_of_part()).prop_map(|(body, key)| {
            json!({ "ConditionCheck": at(with(body, "Key", key)) })
        }),
    ]
}

fn page() -> impl Strategy<Value = Json> {
    let index = select(vec![
        ("timers", "t", "d"),
        ("listings", "l", "i"),
        ("workflows", "w", "i"),
    ]);
    let edge = prop::option::of((select(vec!["<", "<=", ">", ">="]), 0..4u8, key()));
    let limit = prop_oneof![8 => (1..4i64).prop_map(Some), 8 => Just(None), 1 => Just(Some(0))];
    let wrong = one_in(30, json!({ ":group": n(1) }));
    let parts = (
        index,
        group(),
        edge,
        limit,
        any::<bool>(),
        any::<bool>(),
        wrong,
    );
    parts.prop_map(
        |((index, hash, sort), group, edge, limit, forward, count, wrong)| {
            let mut body = query(json!({ "ScanIndexForward": forward }), index, hash, &group);
            if let Some((comparison, version, key)) = edge {
                body["KeyConditionExpression"] =
                    format!("{hash} = :group AND {sort} {comparison} :edge").into();
                body["ExpressionAttributeValues"][":edge"] = match sort {
                    "d" => n(i64::from(version) * 1_000 - i64::from(key)),
                    _ => b(&[version, key]),
                };
            }
            if let Some(limit) = limit {
                body["Limit"] = limit.into();
            }
            if count {
                body["Select"] = "COUNT".into();
            }
            if let Some(wrong) = wrong {
                body["ExpressionAttributeValues"] = wrong;
            }
            body
        },
    )
}

/// A request.
pub(super) fn ask() -> impl Strategy<Value = (&'static str, Json)> {
    let projection = prop::option::of(Just("k, l"));
    let token = prop::option::of("[ab]");
    prop_oneof![
        5 => put().prop_map(|body| ("PutItem", body)),
        2 => delete(key_of()).prop_map(|body| ("DeleteItem", body)),
        2 => key_of().prop_map(|key| ("GetItem", json!({ "Key": key, "ConsistentRead": true }))),
        2 => (prop::collection::vec(key_of(), 0..5), projection).prop_map(|(keys, projection)| {
            let mut table = json!({ "Keys": keys, "ConsistentRead": true });
            if let Some(projection) = projection {
                table["ProjectionExpression"] = projection.into();
            }
            ("BatchGetItem", json!({ "RequestItems": { "table": table } }))
        }),
        6 => (prop::collection::vec(part(), 0..5), token).prop_map(|(parts, token)| {
            let mut body = json!({ "TransactItems": parts });
            if let Some(token) = token {
                body["ClientRequestToken"] = token.into();
            }
            ("TransactWriteItems", body)
        }),
        6 => page().prop_map(|body| ("Query", body)),
        1 => Just(("DescribeTable", json!({}))),
    ]
}
