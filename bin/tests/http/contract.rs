//! Answers against the OpenAPI document.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::site::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(russet_cli::serve::document);

static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> =
    LazyLock::new(Mutex::default);

/// Panics unless the document says that such a request may have such an answer.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let kind = answer.headers.get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().expect("text"));
    let Some((template, operation)) = operation(method, path) else {
        assert_eq!(
            kind, "application/problem+json",
            "{method} {path} is not documented"
        );
        return validate(
            "Problem",
            &json!({"$ref": "#/components/schemas/Problem"}),
            answer,
        );
    };
    let responses = &operation["responses"];
    let status = answer.status.to_string();
    let exact = responses.get(&status);
    let response = exact.or_else(|| responses.get("default"));
    let response = response.unwrap_or_else(|| panic!("{method} {path} may not answer {status}"));
    let content = &response["content"];
    let media = content.get(kind).or_else(|| {
        content
            .get("text/plain")
            .filter(|_| kind.starts_with("text/plain"))
    });
    let media =
        media.unwrap_or_else(|| panic!("{method} {path} {status} may not be {kind}: {content}"));
    if kind.ends_with("json") {
        let name = format!("{method} {template} {status}");
        validate(&name, &media["schema"], answer);
    }
}

/// The operation that a request is for, and the path that it is documented under.
fn operation(method: &str, path: &str) -> Option<(String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object()?;
    let mut fitting: Vec<_> = paths
        .iter()
        .filter(|(template, _)| fits(template, path))
        .collect();
    // A path that is written out goes before one with a parameter.
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    fitting
        .iter()
        .find_map(|(template, item)| Some(((*template).clone(), item.get(method.to_lowercase())?)))
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(known), Some(part)) if known == part || known.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn validate(name: &str, schema: &Value, answer: &Answer) {
    validate_value(name, schema, &answer.json());
}

fn validate_value(name: &str, schema: &Value, instance: &Value) {
    let validator = *VALIDATORS
        .lock()
        .expect("no panic while it was held")
        .entry(name.to_owned())
        .or_insert_with(|| Box::leak(Box::new(validator(schema))));
    let errors: Vec<_> = validator
        .iter_errors(instance)
        .map(|error| error.to_string())
        .collect();
    assert!(
        errors.is_empty(),
        "{name} answered {instance}, which is not as documented: {errors:?}"
    );
}

/// Panics unless a server-sent event is as the document describes it.
pub fn check_event(name: &str, data: &Value) {
    let view = match name {
        "task" => "EventView",
        "missed" => "MissedView",
        other => panic!("an event {other:?}: {data}"),
    };
    let schema = json!({"$ref": format!("#/components/schemas/{view}")});
    validate_value(view, &schema, data);
}

fn validator(schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = DOCUMENT["components"].clone();
    closed(&mut whole);
    let options = jsonschema::options().should_validate_formats(true);
    options
        .build(&whole)
        .unwrap_or_else(|error| panic!("{schema} is no schema: {error}"))
}

/// Replies may grow, but what they have today is documented: no object has other fields.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            entries.values_mut().for_each(closed);
            if entries.get("properties").is_some_and(Value::is_object) {
                entries
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(closed),
        _ => {}
    }
}

#[test]
fn every_reference_in_the_document_leads_to_a_schema() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                if let Some(Value::String(target)) = entries.get("$ref") {
                    found.push(target.clone());
                }
                entries.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&DOCUMENT, &mut found);
    assert!(found.len() > 50, "only {} references", found.len());
    for target in found {
        let pointer = target.strip_prefix('#').expect("a local reference");
        assert!(
            DOCUMENT.pointer(pointer).is_some(),
            "{target} leads nowhere"
        );
    }
}

#[test]
fn every_operation_documents_its_answers_and_has_a_tag_and_a_summary() {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let named = format!("{method} {path}");
            assert!(
                operation["responses"].get("200").is_some(),
                "{named} has no answer"
            );
            assert!(operation["tags"][0].is_string(), "{named} has no tag");
            assert!(operation["summary"].is_string(), "{named} has no summary");
            let takes_body = matches!(method.as_str(), "post" | "patch");
            let refuses = operation["responses"].get("default").is_some();
            assert!(refuses || !takes_body, "{named} never refuses");
        }
    }
}

#[test]
fn texts_of_the_document_are_for_readers_of_any_language() {
    let mut texts = Vec::new();
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    match value {
                        Value::String(text) if key == "summary" || key == "description" => {
                            texts.push(text.clone());
                        }
                        other => collect(other, texts),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            _ => {}
        }
    }
    collect(&DOCUMENT, &mut texts);
    for text in texts {
        assert!(!text.contains("[`") && !text.contains('\n'), "{text:?}");
    }
    let submit = &DOCUMENT["components"]["schemas"]["SubmitTask"]["properties"];
    assert_eq!(submit["priority"]["maximum"], 9);
}

/// Collects the named schemas that something is made of.
fn schemas_of(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            let target = entries.get("$ref").and_then(Value::as_str);
            let name = target.and_then(|target| target.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && found.insert(name.to_owned())
            {
                schemas_of(&DOCUMENT["components"]["schemas"][name], found);
            }
            entries.values().for_each(|value| schemas_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas_of(item, found)),
        _ => {}
    }
}

fn may_be_null(schema: &Value) -> bool {
    let kinds = schema["type"].as_array().into_iter().flatten();
    let mut choices = ["anyOf", "oneOf"]
        .iter()
        .filter_map(|key| schema[key].as_array());
    kinds.into_iter().any(|kind| kind == "null")
        || choices.any(|some| some.iter().any(|one| one["type"] == "null"))
}

#[test]
fn fields_of_answers_are_left_out_and_not_null_but_for_the_settings_of_a_queue() {
    let schemas = DOCUMENT["components"]["schemas"].as_object();
    let mut answers = BTreeSet::from(["MissedView".to_owned()]);
    let paths = DOCUMENT["paths"].as_object().expect("paths").values();
    for operation in paths.flat_map(|item| item.as_object().expect("operations").values()) {
        schemas_of(&operation["responses"], &mut answers);
    }
    assert!(answers.len() > 20, "only {answers:?}");
    let mut nullable = Vec::new();
    for (name, schema) in schemas.expect("schemas") {
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields = fields.filter(|(_, schema)| may_be_null(schema));
        if answers.contains(name) {
            nullable.extend(fields.map(|(field, _)| format!("{name}.{field}")));
        }
    }
    assert_eq!(nullable, ["QueueConfigView.concurrency"]);
    let required = &DOCUMENT["components"]["schemas"]["QueueConfigView"]["required"];
    let required = required.as_array().expect("a list");
    assert!(required.contains(&json!("concurrency")), "{required:?}");
}

#[tokio::test]
async fn the_server_hands_out_its_document() {
    let site = crate::site::Site::start().await;
    let document = site.get("/openapi.json").await.good();
    assert_eq!(document, *DOCUMENT);
    assert_eq!(document["info"]["title"], "Russet");
}

#[test]
fn states_and_policies_are_enumerated_with_their_defaults() {
    let schemas = &DOCUMENT["components"]["schemas"];
    let states = json!([
        "blocked",
        "scheduled",
        "queued",
        "running",
        "succeeded",
        "dead",
        "cancelled"
    ]);
    for name in ["TaskView", "TaskNowView", "Explanation", "SubmittedView"] {
        let schema = &schemas[name];
        assert_eq!(schema["properties"]["status"]["enum"], states, "{name}");
        let required = schema["required"].as_array().expect("a list");
        let required = required.contains(&json!("status"));
        assert_eq!(required, name != "SubmittedView", "{name}");
    }
    let state = &schemas["Problem"]["properties"]["task_status"];
    assert_eq!(state["enum"], states);
    let list = DOCUMENT["paths"]["/v1/tasks"]["get"]["parameters"].as_array();
    let list = list.expect("parameters").iter();
    let status: Vec<_> = list.filter(|one| one["name"] == "status").collect();
    assert_eq!(status[0]["schema"]["enum"], states);
    assert_eq!(status[0]["required"], false);
    let policies = json!(["cancel", "dead", "run", null]);
    let policy = |name: &str| &schemas[name]["properties"]["if_unsatisfied"];
    assert_eq!(policy("SubmitTask")["enum"], policies);
    assert_eq!(policy("SubmitTask")["default"], "cancel");
    assert_eq!(policy("TaskDefaults")["enum"], policies);
    assert_eq!(policy("TaskDefaults").get("default"), None);
}
