use russet_models::dynamodb::{Fault, Value};
use serde_json::{Value as Json, json};

use super::model::{Model, at, b, kind, n, query, table, with};
use crate::http::json;

fn timer(key: u8) -> Json {
    at(json!({ "Item": { "k": b(&[key]), "t": b(b"g"), "d": n(key.into()) } }))
}

#[test]
fn indexes_follow_writes_after_their_lag_and_in_order() {
    let mut model = Model::with_table();
    model.set(|condition| condition.index_lag = 100);
    for key in 0..20 {
        model.done("PutItem", &timer(key));
    }
    let there = at(json!({ "Key": { "k": b(&[0]) }, "ConsistentRead": true }));
    assert!(model.done("GetItem", &there)["Item"].is_object());
    model.now += 50;
    let some = model.shown();
    assert!(some > 0 && some < 20, "{some}");
    model.set(|condition| condition.index_lag = 0);
    model.done("DeleteItem", &at(json!({ "Key": { "k": b(&[0]) } })));
    model.now += 50;
    assert_eq!(model.shown(), 19);
}

#[test]
fn what_was_written_is_told_by_transactions() {
    let mut model = Model::with_table();
    model.done("PutItem", &timer(1));
    let parts = [
        json!({ "Delete": at(json!({ "Key": { "k": b(&[1]) } })) }),
        json!({ "Put": timer(2) }),
        json!({ "Delete": at(json!({ "Key": { "k": b(&[3]) } })) }),
    ];
    let body = json!({ "TransactItems": parts, "ClientRequestToken": "token" });
    model.done("TransactWriteItems", &body);
    model.done("TransactWriteItems", &body);
    let written = model.dynamo.written();
    let sizes: Vec<usize> = written.iter().map(|commit| commit.writes.len()).collect();
    assert_eq!(sizes, [1, 2]);
    let [deleted, put] = &written[1].writes[..] else {
        panic!("two writes");
    };
    assert_eq!(
        (&deleted.key["k"], &deleted.item),
        (&Value::B(vec![1]), &None)
    );
    assert_eq!(
        put.item.as_ref().map(|item| item["d"].clone()),
        Some(Value::N(2))
    );
    assert_eq!(model.dynamo.written(), []);
}

#[test]
fn a_token_is_known_for_ten_minutes() {
    let mut model = Model::with_table();
    let put = |key| json!({ "TransactItems": [{ "Put": timer(key) }], "ClientRequestToken": "t" });
    model.done("TransactWriteItems", &put(1));
    model.done("DeleteItem", &at(json!({ "Key": { "k": b(&[1]) } })));
    model.now += 10 * 60_000 - 1;
    model.done("TransactWriteItems", &put(1));
    assert_eq!(model.shown(), 0);
    let mismatch = (400, "IdempotentParameterMismatchException".to_owned());
    assert_eq!(model.refused("TransactWriteItems", &put(2)), mismatch);
    model.now += 1;
    model.done("TransactWriteItems", &put(2));
    assert_eq!(model.shown(), 1);
}

#[test]
fn transactions_are_cancelled_for_conflicts_and_want_of_capacity() {
    let mut model = Model::with_table();
    let parts = [1, 2, 3].map(|key| json!({ "Put": timer(key) }));
    let body = json!({ "TransactItems": parts, "ClientRequestToken": "t" });
    model.set(|condition| (condition.conflicts, condition.starved) = (0b010, 0b100));
    let reply = json(&model.ask("TransactWriteItems", &body));
    let reasons = reply["CancellationReasons"].as_array().expect("reasons");
    let codes: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason["Code"].as_str())
        .collect();
    assert_eq!(codes, ["None", "TransactionConflict", "ThrottlingError"]);
    assert!(reply["Message"].is_string());
    model.set(|condition| (condition.conflicts, condition.starved) = (1, 0));
    let conflict = (400, "TransactionConflictException".to_owned());
    assert_eq!(model.refused("PutItem", &timer(1)), conflict);
    model.set(|condition| {
        condition.conflicts = 0;
        condition.in_progress = true;
    });
    let under_way = (400, "TransactionInProgressException".to_owned());
    assert_eq!(model.refused("TransactWriteItems", &body), under_way);
    assert_eq!(model.dynamo.written(), []);
    model.set(|condition| condition.in_progress = false);
    model.done("TransactWriteItems", &body);
    assert_eq!(model.shown(), 3);
}

#[test]
fn reads_are_done_in_parts_when_they_are_to() {
    let mut model = Model::with_table();
    for key in 0..5 {
        model.done("PutItem", &timer(key));
    }
    model.set(|condition| (condition.batch_reads, condition.page_bytes) = (2, 1));
    let mut keys: Json = (0..5u8).map(|key| json!({ "k": b(&[key]) })).collect();
    for found in [2, 2, 1] {
        let table = json!({ "Keys": keys, "ConsistentRead": true });
        let reply = model.done(
            "BatchGetItem",
            &json!({ "RequestItems": { "table": table } }),
        );
        assert_eq!(
            reply["Responses"]["table"].as_array().map(Vec::len),
            Some(found)
        );
        keys = reply["UnprocessedKeys"]["table"]["Keys"].clone();
    }
    assert!(keys.is_null());
    let (mut start, mut pages) = (Json::Null, 0);
    loop {
        let body = query(json!({ "ExclusiveStartKey": start }), "timers", "t", b"g");
        let page = model.done("Query", &body);
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            break;
        }
        assert_eq!(page["Count"], 1);
        pages += 1;
    }
    assert_eq!(pages, 5);
}

#[test]
fn whole_requests_fail_when_they_are_to() {
    let mut model = Model::with_table();
    for (key, (fault, status, name, there)) in (0..).zip([
        (
            Fault::Throttled,
            400,
            "ProvisionedThroughputExceededException",
            0,
        ),
        (Fault::Limited, 400, "ThrottlingException", 0),
        (Fault::Denied, 400, "AccessDeniedException", 0),
        (Fault::Unavailable, 503, "ServiceUnavailable", 0),
        (
            Fault::Internal { applied: false },
            500,
            "InternalServerError",
            0,
        ),
        (
            Fault::Internal { applied: true },
            500,
            "InternalServerError",
            1,
        ),
    ]) {
        model.set(|condition| condition.fault = Some(fault));
        assert_eq!(
            model.refused("PutItem", &timer(key)),
            (status, name.to_owned())
        );
        model.set(|condition| condition.fault = None);
        assert_eq!(model.shown(), there);
    }
}

#[test]
fn a_table_cannot_be_used_until_it_is_made() {
    let mut model = Model::new();
    model.set(|condition| condition.making = 5_000);
    model.done("CreateTable", &table("table"));
    let status = |model: &mut Model| model.done("DescribeTable", &at(json!({})))["Table"].clone();
    assert_eq!(status(&mut model)["TableStatus"], "CREATING");
    let missing = (400, "ResourceNotFoundException".to_owned());
    assert_eq!(model.refused("PutItem", &timer(1)), missing);
    model.now += 5_000;
    assert_eq!(status(&mut model)["TableStatus"], "ACTIVE");
    model.done("PutItem", &timer(1));
}

#[test]
fn what_the_model_does_not_know_is_refused_by_name() {
    let mut model = Model::with_table();
    let key = json!({ "k": b(b"a") });
    let put = |more: &str, value: Json| at(with(json!({ "Item": key }), more, value));
    for (operation, body, what) in [
        ("Scan", at(json!({})), "Scan"),
        ("GetItem", at(json!({ "Key": key })), "consistent"),
        (
            "PutItem",
            put("ReturnValues", "ALL_OLD".into()),
            "ReturnValues",
        ),
        (
            "PutItem",
            put("ConditionExpression", "size(k) > k".into()),
            "size",
        ),
        (
            "PutItem",
            put("ConditionExpression", "attribute_not_exists(name)".into()),
            "name",
        ),
        (
            "PutItem",
            at(json!({ "Item": { "k": b(b"a"), "s": { "S": "text" } } })),
            "type S",
        ),
        (
            "TransactWriteItems",
            json!({ "TransactItems": [{ "Update": at(json!({})) }] }),
            "Update",
        ),
    ] {
        let reply = model.ask(operation, &body);
        assert_eq!(
            (reply.status, kind(&json(&reply))),
            (400, "UnsupportedOperation".to_owned())
        );
        assert!(json(&reply).to_string().contains(what), "{what}");
    }
}
