//! What AWS asks policies about a request, and what the documented policy allows.

use std::collections::BTreeSet;

use russet_backends::{dynamodb, sqs};
use serde_json::{Value, json};

/// The actions that a policy must allow for a request, as AWS documents them.
pub fn needs(kind: &str, asked: &Value) -> Vec<String> {
    if kind == "TransactWriteItems" {
        let parts = asked["TransactItems"].as_array().into_iter().flatten();
        let parts = parts
            .filter_map(Value::as_object)
            .flat_map(|part| part.keys());
        let actions = parts.map(|part| match part.as_str() {
            "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
            part => format!("dynamodb:{part}Item"),
        });
        return actions.collect();
    }
    let of_dynamo = kind.contains("Item") || kind.contains("Table") || kind == "Query";
    if of_dynamo {
        return vec![format!("dynamodb:{kind}")];
    }
    let mut needs = vec![format!("sqs:{}", kind.trim_end_matches("Batch"))];
    let has_tags = asked["tags"]
        .as_object()
        .is_some_and(|tags| !tags.is_empty());
    if kind == "CreateQueue" && has_tags {
        needs.push("sqs:TagQueue".to_owned());
    }
    needs
}

/// The kind of a request, and what it is about.
pub fn place(kind: &str, asked: &Value) -> String {
    let text = |name: &str| asked[name].as_str();
    let queue = text("QueueName").or_else(|| text("QueueUrl")?.rsplit('/').next());
    let table = text("TableName").unwrap_or_default();
    let index = text("IndexName").map(|index| format!("/index/{index}"));
    let place = queue.unwrap_or(table);
    format!("{kind} {place}{}", index.unwrap_or_default())
}

/// As AWS says it.
pub fn denial(action: &str) -> Value {
    json!({
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": format!(
            "User: arn:aws:iam::000000000000:user/test is not authorized to perform: {action} \
             because no identity-based policy allows the {action} action"
        ),
    })
}

/// Everything in quotes that is an action, of the documented policies: that of the nodes, and
/// what comes in addition where something is made.
fn documented() -> Vec<BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/backends.md");
    let text = std::fs::read_to_string(path).expect("it is read");
    let blocks = text.split("```json\n").skip(1);
    let policies = blocks.map(|block| {
        let block = block.split("```").next().unwrap_or_default();
        serde_json::from_str::<Value>(block).expect("a policy is JSON");
        let quoted = block.split('"');
        let actions = quoted.filter(|part| {
            let service = part.split(':').next();
            ["dynamodb", "sqs"].map(Some).contains(&service)
        });
        actions.map(str::to_owned).collect()
    });
    policies.collect()
}

#[test]
fn the_documented_policies_allow_what_is_tried_and_no_more() {
    let all = |actions: &[&[&str]]| {
        let actions = actions.iter().flat_map(|actions| actions.iter());
        actions.map(|action| (*action).to_owned()).collect()
    };
    let nodes: BTreeSet<String> = all(&[&dynamodb::ACTIONS, &sqs::ACTIONS]);
    let making: BTreeSet<String> = all(&[&dynamodb::CREATE_ACTIONS, &sqs::CREATE_ACTIONS]);
    assert_eq!(documented(), [nodes, making]);
}
