use std::path::Path;

use serde_json::{Number, Value};

use super::WorkflowError;
use super::node::Node;
use super::read::node;

/// A YAML or JSON file as JSON, for what is not a workflow of this crate's own kind. The last of
/// several equal keys of a mapping counts.
///
/// # Errors
/// A file that is too large or not well-formed.
pub fn json(file: &Path, bytes: &[u8]) -> Result<Value, WorkflowError> {
    node(file, bytes).map(value)
}

fn value(node: Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => value.into(),
        Node::Int(value) => Number::from_i128(value).map_or(Value::Null, Value::Number),
        Node::Float(value) => value.into(),
        Node::Text(text) => text.into(),
        Node::List(items) => items.into_iter().map(value).collect(),
        Node::Map(entries) => {
            let entries = entries.into_iter();
            entries.map(|(key, node)| (key, value(node))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_becomes_json() {
        let text = b"a: &a [1, 2.5, no, 'x']\nb: {c: ~, d: *a}\n";
        let read = json(Path::new("w.yaml"), text).expect("is YAML");
        let expected = serde_json::json!({
            "a": [1, 2.5, "no", "x"], "b": {"c": null, "d": [1, 2.5, "no", "x"]}
        });
        assert_eq!(read, expected);
    }
}
