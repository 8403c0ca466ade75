//! Items, and the values of their attributes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{invalid, missing, wrong};
use crate::aws::{Error, Fields, Json, Map};

/// The value of an attribute. Russet uses bytes and integers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Bytes.
    B(Vec<u8>),
    /// An integer of up to 38 digits.
    N(i128),
}

/// The attributes of an item, by name.
pub type Item = BTreeMap<String, Value>;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    B,
    N,
}

impl Kind {
    pub(super) fn read(name: &str) -> Result<Self, Error> {
        match name {
            "B" => Ok(Self::B),
            "N" => Ok(Self::N),
            _ => Err(Error::unknown(format!("keys of the type {name}"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::B => "B",
            Self::N => "N",
        }
    }
}

/// Most digits of a number.
const DIGITS: usize = 38;

impl Value {
    pub(super) fn read(json: Json) -> Result<Self, Error> {
        let Json::Object(map) = json else {
            return Err(invalid("Supplied AttributeValue is empty"));
        };
        let mut parts = map.into_iter();
        let (Some((kind, value)), None) = (parts.next(), parts.next()) else {
            return Err(invalid(
                "Supplied AttributeValue must contain exactly one of the supported datatypes",
            ));
        };
        match (kind.as_str(), value) {
            ("B", Json::String(text)) => {
                let bytes = STANDARD.decode(text);
                let message = "a value of bytes is not Base64";
                bytes
                    .map(Self::B)
                    .map_err(|_| Error::new("SerializationException", message))
            }
            ("N", Json::String(text)) => number(&text),
            (kind, _) => Err(Error::unknown(format!("values of the type {kind}"))),
        }
    }

    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::B(bytes) => serde_json::json!({ "B": STANDARD.encode(bytes) }),
            Self::N(number) => serde_json::json!({ "N": number.to_string() }),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::B(_) => Kind::B,
            Self::N(_) => Kind::N,
        }
    }

    /// How many bytes it counts for.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::B(bytes) => bytes.len(),
            Self::N(number) => {
                let digits = number.unsigned_abs().to_string();
                let significant = digits.trim_end_matches('0').len();
                significant.div_ceil(2) + 1 + usize::from(*number < 0)
            }
        }
    }
}

fn number(text: &str) -> Result<Value, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole {
        return Err(Error::unknown(format!(
            "the number {text}: it is no integer"
        )));
    }
    if digits.trim_start_matches('0').len() > DIGITS {
        return Err(invalid(
            "Attempting to store more than 38 significant digits in a Number",
        ));
    }
    let read = text.parse().map(Value::N);
    read.map_err(|_| invalid("The parameter cannot be converted to a numeric value"))
}

/// Reads an item or a key.
pub(super) fn item(map: Map) -> Result<Item, Error> {
    let parts = map
        .into_iter()
        .map(|(name, json)| Ok((name, Value::read(json)?)));
    parts.collect()
}

pub(super) fn to_json(item: &Item) -> Json {
    let parts = item
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()));
    Json::Object(parts.collect())
}

/// How many bytes an item counts for: the names and the values of its attributes.
pub(super) fn weight(item: &Item) -> usize {
    let parts = item.iter();
    parts.map(|(name, value)| name.len() + value.weight()).sum()
}

/// The key of an item: this attribute alone.
pub(super) fn key(fields: &mut Fields, name: &str) -> Result<Value, Error> {
    let map = fields.object("Key")?;
    one_key(item(map.ok_or_else(|| missing("Key"))?)?, name)
}

pub(super) fn one_key(mut key: Item, name: &str) -> Result<Value, Error> {
    let found = key.remove(name).filter(|_| key.is_empty());
    let found = found.ok_or_else(no_key)?;
    check_key(&found, name, PARTITION_KEY).map(|()| found)
}

pub(super) fn no_key() -> Error {
    invalid("The provided key element does not match the schema")
}

/// Most bytes of what items are grouped by.
pub(super) const PARTITION_KEY: usize = 2048;
/// Most bytes of what they are sorted by.
pub(super) const SORT_KEY: usize = 1024;

/// Whether a value can be part of a key.
pub(super) fn check_key(value: &Value, name: &str, most: usize) -> Result<(), Error> {
    let Value::B(bytes) = value else {
        return Ok(());
    };
    if bytes.is_empty() {
        return Err(wrong(format!(
            "The AttributeValue for a key attribute cannot contain an empty binary value. Key: {name}"
        )));
    }
    if bytes.len() > most {
        return Err(wrong(format!(
            "Size of a key has exceeded the maximum size limit of {most} bytes. Key: {name}"
        )));
    }
    Ok(())
}
