use std::collections::BTreeMap;

use super::error::{Place, Problems};
use super::node::{Node, quoted};
use super::suggest;
use super::value::{Read, name, wanted};

/// The known fields of one mapping, each read by name.
pub(super) struct Fields<'a, 'p> {
    place: Place<'p>,
    entries: BTreeMap<&'a str, &'a Node>,
}

/// What a mapping is called in messages, and the fields that it may have.
pub(super) struct Shape {
    pub(super) called: &'static str,
    pub(super) fields: &'static [&'static str],
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Reports what is unknown or repeated. `None` if `node` is no mapping.
    pub(super) fn of(
        node: &'a Node,
        shape: &Shape,
        place: Place<'p>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let Node::Map(given) = node else {
            let list = shape.fields.join(", ");
            let what = format!("a mapping with fields of {} ({list})", shape.called);
            let message = wanted::<()>(what, node).err()?;
            problems.add(place, "", message);
            return None;
        };
        let mut entries = BTreeMap::new();
        for (key, node) in given {
            if !shape.fields.contains(&key.as_str()) {
                problems.add(place, &shown(key), shape.unknown(key));
            } else if entries.insert(key.as_str(), node).is_some() {
                problems.add(place, key, "is given twice");
            }
        }
        Some(Fields { place, entries })
    }

    pub(super) fn place(&self) -> Place<'p> {
        self.place
    }

    pub(super) fn get(&self, field: &str) -> Option<&'a Node> {
        self.entries.get(field).copied()
    }

    /// The value of `field`; `None` if it is not given or is refused, which is reported.
    pub(super) fn read<T>(
        &self,
        field: &str,
        problems: &mut Problems,
        reader: impl FnOnce(&'a Node) -> Read<T>,
    ) -> Option<T> {
        let value = match self.get(field)? {
            Node::Null => Err("has no value: give one or leave the field out".to_owned()),
            node => reader(node),
        };
        value
            .map_err(|message| problems.add(self.place, field, message))
            .ok()
    }

    /// The entries of the mapping `field`, each checked by `reader`; empty if it is not given.
    pub(super) fn read_map<T>(
        &self,
        field: &str,
        problems: &mut Problems,
        mut reader: impl FnMut(&str, &Node) -> Read<T>,
    ) -> BTreeMap<String, T> {
        let entries = self.read(field, problems, |node| match node {
            Node::Map(entries) => Ok(entries.as_slice()),
            _ => wanted("a mapping", node),
        });
        let mut values = BTreeMap::new();
        for (key, node) in entries.unwrap_or_default() {
            let place = format!("{field}.{}", shown(key));
            match reader(key, node) {
                Err(message) => problems.add(self.place, &place, message),
                Ok(value) => {
                    if values.insert(key.clone(), value).is_some() {
                        problems.add(self.place, &place, "is given twice");
                    }
                }
            }
        }
        values
    }
}

impl Shape {
    fn unknown(&self, key: &str) -> String {
        let hint = match suggest::closest(key, self.fields.iter().copied()) {
            Some(close) => format!("; did you mean {close}?"),
            None => ".".to_owned(),
        };
        format!(
            "is no field of {}{hint} The fields are {}",
            self.called,
            self.fields.join(", ")
        )
    }
}

/// A key as it stands in the path of a field: quoted when it is not a plain name.
pub(super) fn shown(key: &str) -> String {
    name(key).unwrap_or_else(|_| quoted(key))
}
