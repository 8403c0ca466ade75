use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// Any JSON value, kept as the text that it was sent in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The JSON text of a value.
    ///
    /// # Errors
    /// A value that JSON cannot express, such as a map whose keys are not texts.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        to_raw_value(value).map(Self)
    }

    /// Stored bytes as JSON: themselves when they are JSON, otherwise a JSON string of them,
    /// with U+FFFD where they are not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<&RawValue>(bytes) {
            return Self(value.to_owned());
        }
        let text = serde_json::Value::String(String::from_utf8_lossy(bytes).into_owned());
        let quoted = RawValue::from_string(text.to_string());
        Self(quoted.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether it is the JSON value `null`.
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// Whether it is a JSON object.
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    /// The value as a Rust type.
    ///
    /// # Errors
    /// A value of another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl From<Json> for Bytes {
    fn from(json: Json) -> Self {
        Bytes::from(String::from(Box::<str>::from(json.0)))
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        let text = RawValue::from_string(value.to_string());
        Self(text.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Equal texts: `1` and `1.0` are different.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_json_stay_as_they_are() {
        assert_eq!(
            Json::from_bytes(br#"{"a": [1.50]}"#).as_str(),
            r#"{"a": [1.50]}"#
        );
    }

    #[test]
    fn bytes_that_are_not_json_become_a_json_string() {
        assert_eq!(
            Json::from_bytes(b"done: \"3\"\n").as_str(),
            r#""done: \"3\"\n""#
        );
        assert_eq!(Json::from_bytes(b"\xff").as_str(), "\"\u{fffd}\"");
        assert_eq!(Json::from_bytes(b"").as_str(), "\"\"");
    }

    #[test]
    fn numbers_keep_every_digit() {
        let text = r#"[12345678901234567890123,0.10]"#;
        let json: Json = serde_json::from_str(text).expect("is JSON");
        assert_eq!(serde_json::to_string(&json).expect("serialises"), text);
    }
}
