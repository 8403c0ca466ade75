use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::limits;

/// A value of a YAML or JSON file. Mappings keep their order and their repeated keys, so that both can be judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Longest text shown in a message.
const SHOWN_CHARS: usize = 60;

impl Node {
    /// The value of the first `key` of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(entries) => entries
                .iter()
                .find_map(|(name, node)| (name == key).then_some(node)),
            _ => None,
        }
    }
}

/// As a message names it: what was found instead.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("nothing"),
            Node::Bool(value) => write!(f, "{value}"),
            Node::Int(value) => write!(f, "{value}"),
            Node::Float(value) => write!(f, "{value:?}"),
            Node::Text(text) => f.write_str(&quoted(text)),
            Node::List(_) => f.write_str("a list"),
            Node::Map(_) => f.write_str("a mapping"),
        }
    }
}

/// `text` in quotes, control characters escaped, cut when long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Reads one [`Node`], counting against the limits of the whole file.
#[derive(Clone, Copy)]
pub(super) struct NodeSeed<'a> {
    budget: &'a Budget,
}

/// What a file may still hold. YAML aliases multiply a small file, so its size alone bounds nothing.
pub(super) struct Budget {
    values: Cell<usize>,
    text_bytes: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            values: Cell::new(limits::FILE_VALUES),
            text_bytes: Cell::new(limits::FILE_BYTES),
        }
    }
}

impl Budget {
    pub(super) fn seed(&self) -> NodeSeed<'_> {
        NodeSeed { budget: self }
    }

    fn take<E: Error>(&self, text_bytes: usize) -> Result<(), E> {
        let values = self.values.get().checked_sub(1);
        let bytes = self.text_bytes.get().checked_sub(text_bytes as u64);
        let (Some(values), Some(bytes)) = (values, bytes) else {
            return Err(E::custom(format_args!(
                "the file holds more than {} values or {} bytes of text, counting each use of an alias",
                limits::FILE_VALUES,
                limits::FILE_BYTES
            )));
        };
        self.values.set(values);
        self.text_bytes.set(bytes);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.budget.take(0)?;
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.budget.take(0)?;
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.budget.take(0)?;
        Ok(Node::Int(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.budget.take(0)?;
        Ok(Node::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.budget.take(value.len())?;
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        self.budget.take(value.len())?;
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        self.budget.take(0)?;
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.budget.take(0)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            self.budget.take(key.len())?;
            entries.push((key, map.next_value_seed(self)?));
        }
        Ok(Node::Map(entries))
    }
}
