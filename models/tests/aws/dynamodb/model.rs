use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russet_models::dynamodb::{Condition, Dynamo, Reply};
use serde_json::{Value as Json, json};

use crate::http::json;

pub(super) struct Model {
    pub(super) dynamo: Dynamo,
    pub(super) now: u64,
    random: u64,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            dynamo: Dynamo::new(),
            now: 1_700_000_000_000,
            random: 0,
        }
    }

    /// With one table.
    pub(super) fn with_table() -> Self {
        let mut model = Self::new();
        model.done("CreateTable", &table("table"));
        model
    }

    pub(super) fn ask(&mut self, operation: &str, body: &Json) -> Reply {
        let target = format!("DynamoDB_20120810.{operation}");
        let mut random = || {
            self.random = self
                .random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(1);
            self.random >> 20
        };
        let body = body.to_string();
        self.dynamo
            .call(self.now, &mut random, &target, body.as_bytes())
    }

    pub(super) fn done(&mut self, operation: &str, body: &Json) -> Json {
        let reply = self.ask(operation, body);
        assert_eq!(reply.status, 200, "{operation} {body}: {}", json(&reply));
        json(&reply)
    }

    pub(super) fn refused(&mut self, operation: &str, body: &Json) -> (u16, String) {
        let reply = self.ask(operation, body);
        (reply.status, kind(&json(&reply)))
    }

    pub(super) fn set(&mut self, change: impl FnOnce(&mut Condition)) {
        let mut condition = self.dynamo.condition();
        change(&mut condition);
        self.dynamo.set_condition(condition);
    }

    /// The keys that an index shows.
    pub(super) fn shown(&mut self) -> usize {
        let body = query(json!({}), "timers", "t", b"g");
        self.done("Query", &body)["Count"]
            .as_u64()
            .expect("a number") as usize
    }
}

/// The name of an error.
pub(super) fn kind(body: &Json) -> String {
    let kind = body["__type"].as_str().unwrap_or_default();
    kind.rsplit('#').next().unwrap_or_default().to_owned()
}

pub(super) fn b(bytes: &[u8]) -> Json {
    json!({ "B": STANDARD.encode(bytes) })
}

pub(super) fn n(number: i64) -> Json {
    json!({ "N": number.to_string() })
}

pub(super) fn at(mut body: Json) -> Json {
    body["TableName"] = "table".into();
    body
}

/// What makes a table of the shape that the backend needs.
pub(super) fn table(name: &str) -> Json {
    let kinds = [
        ("k", "B"),
        ("t", "B"),
        ("d", "N"),
        ("l", "B"),
        ("i", "B"),
        ("w", "B"),
    ];
    let kinds = kinds.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }));
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let index = |name: &str, hash: &str, sort: &str, projection: Json| {
        json!({
            "IndexName": name,
            "KeySchema": [key(hash, "HASH"), key(sort, "RANGE")],
            "Projection": projection,
        })
    };
    let keys = || json!({ "ProjectionType": "KEYS_ONLY" });
    let more = json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["y"] });
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [key("k", "HASH")],
        "AttributeDefinitions": kinds,
        "GlobalSecondaryIndexes": [
            index("timers", "t", "d", keys()),
            index("listings", "l", "i", more),
            index("workflows", "w", "i", keys()),
        ],
    })
}

pub(super) fn query(mut body: Json, index: &str, hash: &str, group: &[u8]) -> Json {
    body["IndexName"] = index.into();
    body["KeyConditionExpression"] = format!("{hash} = :group").into();
    body["ExpressionAttributeValues"] = json!({ ":group": b(group) });
    at(body)
}

pub(super) fn with(mut body: Json, name: &str, value: Json) -> Json {
    body[name] = value;
    body
}
