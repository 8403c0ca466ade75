//! What answers leave out they never say as `null`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Takes `null` from the fields of answers that may be absent: those are left out when there is
/// nothing to say. Requests may say `null` in place of leaving a field out.
pub(super) fn leave_out(document: &mut Value) {
    let mut asked = BTreeSet::new();
    bodies(document, &mut asked);
    let schemas = document.pointer_mut("/components/schemas");
    let Some(schemas) = schemas.and_then(Value::as_object_mut) else {
        return;
    };
    let answers = schemas
        .iter_mut()
        .filter(|(name, _)| !asked.contains(*name));
    for (_, schema) in answers {
        let required = schema["required"].clone();
        let is_required = |name: &str| {
            let names = required.as_array();
            names.is_some_and(|names| names.iter().any(|known| known == name))
        };
        let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, field) in fields.into_iter().flatten() {
            if !is_required(name)
                && let Some(field) = field.as_object_mut()
            {
                without_null(field);
            }
        }
    }
}

/// Collects the schemas that bodies of requests are made of.
fn bodies(document: &Value, found: &mut BTreeSet<String>) {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    for (_, operation) in operations {
        references(&operation["requestBody"], document, found);
    }
}

fn references(value: &Value, document: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            for item in items {
                references(item, document, found);
            }
        }
        Value::Object(entries) => {
            let target = entries.get("$ref").and_then(Value::as_str);
            let name = target.and_then(|target| target.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && found.insert(name.to_owned())
            {
                references(&document["components"]["schemas"][name], document, found);
            }
            for value in entries.values() {
                references(value, document, found);
            }
        }
        _ => {}
    }
}

fn without_null(field: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = field.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            field.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = field.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            field.remove("anyOf");
            field.extend(only);
        }
    }
}
