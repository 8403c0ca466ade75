//! A list where an object belongs: refused on every level of every request, whatever the order
//! of the fields in the source.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::site::{Answer, Site};

static DOCUMENT: LazyLock<Value> = LazyLock::new(russet_cli::serve::document);

#[tokio::test]
async fn a_list_is_refused_wherever_a_request_or_a_part_of_it_is_an_object() {
    let site = Site::start().await;
    let mut refused = Vec::new();
    for (method, path, schema) in bodies() {
        for body in lists(schema) {
            let path = path.replace("{id}", "00000000000000000000000000");
            let path = path.replace("{name}", "q");
            let answer = site.send(&method, &path, Some(&body.to_string())).await;
            let problem = problem(&answer);
            assert_eq!(problem["status"], 422, "{method} {path} {body}: {problem}");
            let detail = problem["detail"].as_str().expect("a text");
            assert!(
                detail.contains("a list will not do ("),
                "{method} {path} {body}: {problem}"
            );
            refused.push(problem["field"].as_str().unwrap_or_default().to_owned());
        }
    }
    for field in ["", "retry", "tasks[0]", "tasks[0].retry", "progress"] {
        assert!(
            refused.iter().any(|known| known == field),
            "{field}: {refused:?}"
        );
    }
}

/// Why a request was refused, or the one item of its batch.
fn problem(answer: &Answer) -> Value {
    let mut answer = answer.json();
    match answer.pointer_mut("/results/0/error") {
        Some(of_item) => of_item.take(),
        None => answer,
    }
}

/// Every operation that takes a body, with the schema of the body.
fn bodies() -> Vec<(String, String, &'static Value)> {
    let mut bodies = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if let Some(schema) =
                operation["requestBody"]["content"]["application/json"].get("schema")
            {
                bodies.push((method.to_uppercase(), path.clone(), schema));
            }
        }
    }
    bodies
}

/// Bodies of this shape with a list in the place of one object each.
fn lists(schema: &'static Value) -> Vec<Value> {
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.strip_prefix('#').expect("a local reference");
        return lists(DOCUMENT.pointer(pointer).expect("a schema"));
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return choices.iter().flat_map(lists).collect();
    }
    if schema.get("items").is_some() {
        let items = lists(&schema["items"]).into_iter();
        return items.map(|item| json!([item])).collect();
    }
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    let mut bodies = vec![json!([])];
    for (name, property) in properties {
        bodies.extend(
            lists(property)
                .into_iter()
                .map(|inner| json!({ name: inner })),
        );
    }
    bodies
}
