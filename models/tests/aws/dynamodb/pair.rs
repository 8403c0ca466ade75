use proptest::prelude::*;
use russet_models::dynamodb::Reply;
use russet_servers::Ministack;
use serde_json::{Value as Json, json};

use super::model::{Model, kind};
use crate::http::{Http, json};

/// A server and a model of one.
pub(super) struct Pair {
    _server: Ministack,
    real: Http,
    model: Model,
    /// Which sequence of requests this is: its table and its tokens are its own.
    case: u32,
}

impl Pair {
    pub(super) fn new() -> Self {
        let server = Ministack::start();
        let real = Http::open(&server.url());
        Self {
            _server: server,
            real,
            model: Model::new(),
            case: 0,
        }
    }

    /// Begins another sequence of requests, with a table of its own.
    pub(super) fn begin(&mut self) {
        self.case += 1;
    }

    /// For the table of this sequence.
    fn own(&self, operation: &str, body: &Json) -> Json {
        let name = format!("case{}", self.case);
        let mut body = body.clone();
        match operation {
            "BatchGetItem" => {
                let table = body["RequestItems"]["table"].take();
                body["RequestItems"] = json!({ name: table });
            }
            "TransactWriteItems" => {
                let parts = body["TransactItems"].as_array_mut().into_iter().flatten();
                let parts = parts.filter_map(|part| part.as_object_mut()?.values_mut().next());
                parts.for_each(|part| part["TableName"] = name.clone().into());
                if let Some(token) = body["ClientRequestToken"].as_str() {
                    body["ClientRequestToken"] = format!("{name}-{token}").into();
                }
            }
            _ => body["TableName"] = name.into(),
        }
        body
    }

    /// Asks both; for the next page as well, as long as there is one.
    pub(super) fn compare(&mut self, operation: &str, body: &Json) -> Result<(), TestCaseError> {
        self.model.now += 1;
        let mut body = self.own(operation, body);
        loop {
            let target = format!("DynamoDB_20120810.{operation}");
            let real = self.real.call("dynamodb", &target, &body);
            let model = self.model.ask(operation, &body);
            prop_assert_eq!(
                said(&real),
                said(&model),
                "real, then model: {} {:.1000}",
                operation,
                body.to_string()
            );
            let next = json(&real)["LastEvaluatedKey"].clone();
            if operation != "Query" || next.is_null() {
                return Ok(());
            }
            body["ExclusiveStartKey"] = next;
        }
    }
}

/// What both must say.
fn said(reply: &Reply) -> (u16, String, Json) {
    let mut body = json(reply);
    let kind = kind(&body);
    if kind == "TransactionCanceledException" {
        let reasons = body["CancellationReasons"].as_array_mut();
        for reason in reasons.into_iter().flatten() {
            *reason = json!([reason["Code"], reason["Item"]]);
        }
    }
    let responses = body["Responses"].as_object_mut().into_iter();
    for items in responses.flat_map(|responses| responses.values_mut()) {
        let items = items.as_array_mut().expect("a list");
        items.sort_by_key(Json::to_string);
    }
    // What describes a table is more than anybody looks at.
    let table = |table: &Json| {
        let mut indexes = table["GlobalSecondaryIndexes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        indexes.sort_by_key(|index| index["IndexName"].to_string());
        let indexes = indexes.iter().map(|index| {
            let names = ["IndexName", "KeySchema", "Projection"].iter();
            names.map(|name| index[name].clone()).collect()
        });
        let mut kinds = table["AttributeDefinitions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        kinds.sort_by_key(Json::to_string);
        json!([
            table["TableStatus"],
            table["KeySchema"],
            kinds,
            indexes.collect::<Vec<Json>>()
        ])
    };
    let names = [
        "Item",
        "Items",
        "Count",
        "LastEvaluatedKey",
        "Responses",
        "UnprocessedKeys",
        "CancellationReasons",
    ];
    let mut found: Vec<Json> = names.iter().map(|name| body[name].clone()).collect();
    found.push(table(&body["Table"]));
    (reply.status, kind, Json::Array(found))
}
